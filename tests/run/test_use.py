"""`use`: a person's files in, answers out; what cannot be answered is one line, and nothing is overwritten."""

import cv2
import numpy as np
import pytest
from PIL import Image

import experiments
from adl import run
from adl.run.catalogue import main
from adl.run.claim import words
from experiments.gan import image as gan
from experiments.linear import classify
from tests.run.test_fit import fails
from tests.run.test_folder import unchanged


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for module in (gan, classify):
        name = module.__name__.rpartition(".")[2]
        run.main(module.__name__, ["--workdir", str(folder / name), "--lift", "jit", *words(module.SMOKE)])
    return folder


def use(*asked) -> None:
    main(experiments, ["use", *map(str, asked)])


def test_a_class_in_and_pictures_out(runs, tmp_path, capsys):
    use(runs / "image", "3", "7", "--num", "2", "--to", tmp_path / "made")
    made = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (tmp_path / "made").iterdir()}
    assert sorted(made) == ["3-0.png", "3-1.png", "7-0.png", "7-1.png"]
    want = np.round(255 * np.asarray(run.load(runs / "image").sample([3, 3, 7, 7]))[2, ..., 0])
    np.testing.assert_array_equal(made["7-0.png"], want)
    with unchanged(tmp_path):
        for more, said in (
            (["3", "--to", tmp_path / "made"], "3-0.png already"),
            (["3"], "--to FOLDER"),
            (["eleven", "--to", tmp_path / "x"], "no class 'eleven'"),
            (["--to", tmp_path / "x"], "wanted is classes: 0, 1"),
            (["3", "--what", "smple"], "did you mean sample?"),
            (["3", "--to", tmp_path / "x", "--resize"], "there are no pictures to resize"),
            (["3", "--to", tmp_path / "x", "--step", "9"], "no checkpoint of step 9"),
        ):
            with fails(capsys, 2, said):
                use(runs / "image", *more)


def test_a_table_in_and_labels_out(runs, tmp_path, capsys):
    """In the table's own unit: as the test rows are answered in the run."""
    trained = run.load(runs / "classify")
    columns = trained.offers["predict"].takes.columns
    rows = np.random.default_rng(0).uniform(0.01, 1, (3, len(columns)))
    head, table = ",".join(columns), tmp_path / "rows.csv"
    lines = [",".join(map(repr, map(float, row))) for row in rows]
    table.write_text("\n".join([f"{head},spare", *(f"{line},x" for line in lines)]))
    use(runs / "classify", table, "--to", tmp_path / "out.csv")
    out = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert out[0] == ["row", "predicted", "probability"] and len(out) == 4
    probability = np.asarray(trained.predict(rows))
    names = trained.offers["predict"].gives.names
    assert [row[1] for row in out[1:]] == [names[k] for k in probability.argmax(1)]
    np.testing.assert_allclose([float(row[2]) for row in out[1:]], probability.max(1), rtol=1e-5)
    for text, said in (
        (f"{head}\n{lines[0].replace('0.', 'o.', 1)}\n", "is no number"),
        (f"{head}\n{lines[0]},1\n", "row 1 has"),
        (f"{head}\n", "no rows below a header"),
        (f"{head.replace(columns[1], 'odd')}\n{lines[0]}\n", f"column {columns[1]!r} is not there"),
        (f"{head},{columns[0]}\n{lines[0]},1\n", "is there twice"),
        (f"{head}\n{lines[0].replace(lines[0].split(',')[0], 'nan')}\n", "must be a finite number"),
    ):
        table.write_text(text)
        with unchanged(tmp_path), fails(capsys, 2, said):
            use(runs / "classify", table, "--to", tmp_path / "new.csv")
    table.write_bytes(b"\xff\xfe\x00")
    with unchanged(tmp_path), fails(capsys, 2, "cannot be read"):
        use(runs / "classify", table)
    with fails(capsys, 2, "holds 2 runs, and one is wanted"):
        use(runs, table)


def test_pictures_are_read_as_the_model_wants_them(tmp_path):
    from adl.core import BadInput
    from adl.run.inputs import picture_files, read_picture

    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (6, 5, 3)).astype(np.uint8)
    for name, pixels in {
        "colour": colour[..., ::-1],
        "grey": colour[..., 0],
        "deep": colour[..., 0].astype(np.uint16),
        "clear": np.concatenate([colour, colour[..., :1]], -1),
    }.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # as a photograph is taken upright
    Image.fromarray(colour).save(tmp_path / "turned.jpg", quality=100, subsampling=0, exif=exif)
    turned = read_picture(tmp_path / "turned.jpg", (5, 6, 3), False)
    np.testing.assert_allclose(np.float32(turned), np.rot90(colour, -1), atol=8)  # as it was in training
    (tmp_path / "cut.png").write_bytes((tmp_path / "grey.png").read_bytes()[:20])
    (tmp_path / "empty.png").touch()
    np.testing.assert_array_equal(read_picture(tmp_path / "colour.png", (6, 5, 3), False), colour)
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png", (6, 5, 1), False)[..., 0], colour[..., 0])
    assert read_picture(tmp_path / "colour.png", (8, 8, 1), True).shape == (8, 8, 1)
    assert read_picture(tmp_path / "grey.png", (3, 3, 3), True).shape == (3, 3, 3)
    for name, said in (
        ("colour", "6 x 5 x 3 .*--resize makes it so"),
        ("deep", "its pixels are uint16"),
        ("clear", "4 channels"),
        ("cut", "no picture, or damaged"),
        ("empty", "no picture, or damaged"),
        ("nosuch", "cannot be read"),
    ):
        with pytest.raises(BadInput, match=said):
            read_picture(tmp_path / f"{name}.png", (8, 8, 1), False)
    (tmp_path / "none").mkdir()
    with pytest.raises(BadInput, match="it has no pictures"):
        picture_files(tmp_path / "none")
