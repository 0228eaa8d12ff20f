"""Answers at each pixel, as files: classes with a palette, numbers as they are."""

import io

import cv2
import numpy as np
from PIL import Image

import experiments
from adl import run
from adl.run import depicted
from adl.run.catalogue import main
from adl.run.claim import words
from experiments.vision import segment
from tests.run.test_fit import fails

RNG = np.random.default_rng(0)


def test_classes_are_a_picture_whose_numbers_they_are():
    logits = RNG.normal(size=(5, 4, 9)).astype("f")
    gives = run.Maps(tuple("abcdefghi"))
    assert depicted.ending(gives) == ".png"
    picture = Image.open(io.BytesIO(depicted.content(gives, logits)))
    np.testing.assert_array_equal(np.asarray(picture), logits.argmax(-1))
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), depicted.palette(9)[logits.argmax(-1)])
    colours = depicted.palette(20).astype(int)
    apart = np.abs(colours[:, None] - colours).sum(-1) + 1000 * np.eye(20, dtype=int)
    assert apart.min() > 25 and not colours[0].any()


def test_numbers_are_arrays_of_their_own():
    metres = RNG.random((5, 4)).astype("f")
    gives = run.Maps(unit="m")
    assert depicted.ending(gives) == ".npy"
    np.testing.assert_array_equal(np.load(io.BytesIO(depicted.content(gives, metres))), metres)


def test_pictures_in_and_masks_out(tmp_path, capsys):
    small = {**segment.SMOKE, "num_steps": 1, "figure_format": "svg"}
    run.main(segment.__name__, ["--workdir", str(tmp_path / "run"), *words(small)])
    pictures = RNG.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    for name, picture in zip("ab", pictures, strict=True):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture[..., ::-1])
    files = [str(tmp_path / f"{name}.png") for name in "ab"]
    asked = ["use", str(tmp_path / "run"), *files]
    main(experiments, [*asked, "--to", str(tmp_path / "masks")])
    want = np.asarray(run.load(tmp_path / "run").predict(pictures))
    np.testing.assert_allclose(want.sum(-1), 1, rtol=1e-5)
    made = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "masks").iterdir())]
    np.testing.assert_array_equal(made, want.argmax(-1))
    for more, said in (([], "--to FOLDER"), (["--to", str(tmp_path / "masks")], "already")):
        with fails(capsys, 2, said):
            main(experiments, [*asked, *more])
