"""`use`: a person's files in, answers out; what cannot be answered is one line, and nothing is overwritten."""

import wave
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

import experiments
from adl import run
from adl.core import BadInput
from adl.run.catalogue import main
from adl.run.claim import words
from adl.run.inputs import ClipFolders, Fitting, Pictures, SoundFiles
from adl.run.use import AT_ONCE, MOST, Using
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
    many = tmp_path / "many"
    use(runs / "image", "3", "--num", AT_ONCE + 2, "--to", many)
    assert len({path.read_bytes() for path in many.iterdir()}) > AT_ONCE  # each part of them has its own key
    with unchanged(tmp_path):
        for more, said in (
            (["3", "--num", MOST + 1, "--to", tmp_path / "x"], "--num 100001: it must be in"),
            (["3", "5", "--num", MOST, "--to", tmp_path / "x"], "at most 100000 are made"),
            (["3", "--key", 2**63, "--to", tmp_path / "x"], "--key"),
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


def test_what_is_exported_begins_a_run_that_is_used(runs, tmp_path, capsys):
    out, again, slow = tmp_path / "out", tmp_path / "again", ["--learning_rate", "1e-17"]
    main(experiments, ["export", str(runs / "image"), "--to", str(out)])
    words_ = ["--workdir", str(again), "--lift", "jit", *words(gan.SMOKE), *slow, "--init_from", str(out)]
    run.main(gan.__name__, words_)
    for folder in (runs / "image", again):
        use(folder, "3", "--to", tmp_path / folder.name)
    made = [cv2.imread(str(tmp_path / name / "3-0.png"), cv2.IMREAD_UNCHANGED) for name in ("image", "again")]
    np.testing.assert_allclose(*map(np.int32, made), atol=1)


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
    cells = lines[0].split(",")
    for text, said in (
        (
            f"{head}\n{lines[0]}\n{','.join(['o.1', *cells[1:]])}\n",
            f"line 3: {columns[0]} is 'o.1', and must be a number",
        ),
        (f"{head}\n{','.join(['1_0', *cells[1:]])}\n", "is '1_0', and must be a number"),
        (f"{head}\n{lines[0]},1\n", f"line 2: {len(cells) + 1} cells"),
        (f"{head}\n", "no rows"),
        (f"{head.replace(columns[1], 'odd')}\n{lines[0]}\n", f"column {columns[1]!r} is not there"),
        (f"{head},{columns[0]}\n{lines[0]},1\n", f"two of them called {columns[0]}"),
        (
            f"{head}\n{','.join(['nan', *cells[1:]])}\n{lines[0]}\n",
            f"{columns[0]} lacks 1 of 2 cells, the first in line 2",
        ),
    ):
        table.write_text(text)
        with unchanged(tmp_path), fails(capsys, 2, said):
            use(runs / "classify", table, "--to", tmp_path / "new.csv")
    table.write_bytes(b"\xff\xfe\x00")
    with unchanged(tmp_path), fails(capsys, 2, "is no UTF-8 text"):
        use(runs / "classify", table)
    with fails(capsys, 2, "holds 2 runs, and one is wanted"):
        use(runs, table)


def test_pictures_in_and_texts_out(tmp_path, monkeypatch):
    offer = run.Offer(None, run.Images((4, 4, 3)), run.Text(None, None))

    def generate(pictures, *, key):
        return [f"brightness {picture.mean():.0f}" for picture in pictures]

    trained = SimpleNamespace(program=SimpleNamespace(num_axes=0), offers={"generate": offer}, config=run.Config())
    trained.generate, paths = generate, []
    monkeypatch.setattr(Using, "load", lambda asked: trained)
    for name, value in (("dark", 10), ("light", 200)):
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(paths[-1])
    use("run", *paths, "--to", tmp_path / "out.csv")
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert [row[-1] for row in rows] == ["text", "brightness 10", "brightness 200"]
    assert "dark" in rows[1][0] and "light" in rows[2][0]


def test_pictures_are_read_as_the_model_wants_them(tmp_path):
    """As those that are learned from: as a viewer shows them, and nothing is lost unasked."""
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (6, 5, 3)).astype(np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    for name, pixels, more in (
        ("colour", colour, {}),
        ("grey", colour[..., 0], {}),
        ("turned", colour, {"exif": turned}),
        ("deep", colour[..., 0].astype(np.uint16), {}),
        ("clear", np.concatenate([colour, colour[..., :1]], -1), {}),
    ):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png", **more)
    (tmp_path / "cut.png").write_bytes((tmp_path / "grey.png").read_bytes()[:20])
    (tmp_path / "empty.png").touch()

    def read(name, shape, *fit):
        return Pictures([str(tmp_path / f"{name}.png")], shape, Fitting(*fit))[:9]

    np.testing.assert_array_equal(read("colour", (6, 5, 3))[0], colour)
    np.testing.assert_array_equal(read("grey", (6, 5, 1))[0, ..., 0], colour[..., 0])
    np.testing.assert_array_equal(read("turned", (5, 6, 3))[0], np.rot90(colour, -1))
    assert read("colour", (8, 8, 1), "resize", True).shape == (1, 8, 8, 1)
    assert read("grey", (3, 3, 3), "crop", True).shape == (1, 3, 3, 3)
    for name, said in (
        ("colour", "6 x 5 x 3 .*--resize makes it so"),
        ("grey", "6 x 5 x 1 .*--resize makes it so"),
        ("deep", "16 bits a channel"),
        ("cut", "is damaged|is no picture"),
        ("empty", "is empty, and no picture"),
        ("nosuch", "there is no such file"),
    ):
        with pytest.raises(BadInput, match=said):
            read(name, (6, 5, 3) if name == "grey" else (8, 8, 1))
    with pytest.raises(BadInput, match="is transparent in places"):
        read("clear", (6, 5, 3))
    (tmp_path / "none").mkdir()
    with pytest.raises(BadInput, match="it has no pictures"):
        Pictures([str(tmp_path / "none")], (8, 8, 1), Fitting())


def test_folders_of_frames_are_clips(tmp_path):
    """In the order of their numbers; a folder of fewer or more frames, or a single file, is one line."""
    clips = np.random.default_rng(0).integers(0, 256, (2, 12, 4, 6, 3)).astype(np.uint8)
    for name, clip in zip("ab", clips, strict=True):
        (tmp_path / name).mkdir()
        for t, frame in enumerate(clip):
            cv2.imwrite(str(tmp_path / name / f"frame{t}.png"), frame[..., ::-1])
    folders = [str(tmp_path / name) for name in "ab"]
    found = ClipFolders(folders, (12, 4, 6, 3), Fitting())
    assert (len(found), found.names) == (2, folders)
    np.testing.assert_array_equal(found[:2], clips)
    assert ClipFolders(folders[:1], (12, 2, 3, 3), Fitting("resize", True))[:1].shape == (1, 12, 2, 3, 3)
    for several, shape, said in (
        (folders, (8, 4, 6, 3), "it has 12 pictures; a clip is a folder of 8"),
        ([str(tmp_path / "a" / "frame0.png")], (1, 4, 6, 3), "a clip is a folder of 1"),
        (folders, (12, 4, 4, 3), "the model's pictures are 4 x 4 x 3"),
        ([str(tmp_path / "c")], (12, 4, 6, 3), "no such file or folder"),
    ):
        with pytest.raises(BadInput, match=said):
            ClipFolders(several, shape, Fitting())
    with pytest.raises(BadInput, match=r"clips must be uint8 \[B, 12, 4, 6, 3\], not float32"):
        run.Films((12, 4, 6, 3)).read(clips.astype("f"))
    assert run.Films((12, 4, 6, 3)).read(clips[0]).shape == (1, 12, 4, 6, 3)


def test_sounds_are_read_as_they_are(tmp_path):
    """Files of a folder and alone, cut and padded; of another rate they are refused."""
    for name, rate, count in (("a", 8000, 30), ("b", 8000, 90), ("c/d", 4000, 20)):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as sound:
            sound.setparams((1, 2, rate, 0, "NONE", ""))
            sound.writeframes(np.arange(1, count + 1, dtype="<i2").tobytes())
    found = SoundFiles([str(tmp_path / "a.wav"), str(tmp_path / "b.wav")], 50, 8000)
    assert len(found) == 2 and found.names[0].endswith("a.wav")
    takes = run.Sounds(50, 8000)
    heard = takes.read(found[:2])
    np.testing.assert_array_equal(heard[:, :, 1].sum(1), [30, 50])
    np.testing.assert_allclose(heard[0, :30, 0], np.arange(1, 31) / 2**15)
    np.testing.assert_array_equal(takes.read(np.arange(1, 31, dtype=np.int16)), heard[:1])
    for wrong, said in ((np.ones((1, 4)), "must be int16"), (np.zeros(4, np.int16), "not silence")):
        with pytest.raises(BadInput, match=said):
            takes.read(wrong)
    with pytest.raises(BadInput, match="d.wav has 4000 samples a second, and the model's sounds have 8000"):
        SoundFiles([str(tmp_path)], 50, 8000)
    with pytest.raises(BadInput, match="there are no sounds"):
        SoundFiles([__file__], 50, 8000)
