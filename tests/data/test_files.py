"""Data of one's own: what a path holds, in which parts, and one line for each that cannot be read."""

import os
import shutil
import tempfile
import unicodedata
import wave
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adl import data
from adl.core import BadInput
from adl.data import source

RNG = np.random.default_rng(0)


def picture(path: Path, shape: tuple[int, ...] = (4, 5, 3), **how) -> np.ndarray:
    """A picture of noise, written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path, **how)
    return pixels


def photos(root: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 20) -> dict[str, np.ndarray]:
    """Class folders, and what is in them by name."""
    return {f"{name}/{i}.png": picture(root / name / f"{i}.png") for name in classes for i in range(each)}


def refused(path: Path, *wanted: str, **how) -> str:
    """The one line with which data are refused, less the path."""
    with pytest.raises(BadInput) as caught:
        data.splits(str(path), *(wanted or ("image", "label")), **how)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(f"--dataset {path}", "PATH").replace(str(path), "PATH")


def test_class_folders_are_labels_and_their_pixels_stay(tmp_path):
    known = photos(tmp_path)
    found = data.folder(str(tmp_path))
    train, test = found["train"], found["test"]
    assert [*found] == ["train", "test"] and train.class_names == test.class_names == ["cat", "dog"]
    assert len(train) + len(test) == 40 and 1 <= len(test) <= 16 and train.example_shape == (4, 5, 3)
    for split in found.values():
        for image, label in zip(split.arrays["image"], split.arrays["label"], strict=True):
            (name,) = [name for name, pixels in known.items() if (pixels == image).all()]
            assert name.startswith(split.class_names[label])


def test_a_name_stays_in_its_part_when_files_are_added(tmp_path):
    first = photos(tmp_path)
    before = {p.tobytes(): s for s, split in data.folder(str(tmp_path)).items() for p in split.arrays["image"]}
    photos(tmp_path / "more")
    for name in ("cat", "dog"):
        for path in (tmp_path / "more" / name).iterdir():
            path.rename(tmp_path / name / f"new-{path.name}")
    shutil.rmtree(tmp_path / "more")
    after = {p.tobytes(): s for s, split in data.folder(str(tmp_path)).items() for p in split.arrays["image"]}
    assert len(after) == 80 and all(after[p.tobytes()] == before[p.tobytes()] for p in first.values())
    share = [len(data.load(str(tmp_path), "test", test_share=share)) for share in (0.1, 0.5, 0.9)]
    assert share == sorted(share) and abs(share[1] - 40) < 20


def test_train_and_test_folders_are_the_splits(tmp_path):
    for split, each in (("train", 3), ("test", 2), ("val", 1)):
        photos(tmp_path / split, each=each)
    assert {name: len(split) for name, split in data.folder(str(tmp_path)).items()} == {
        **{"train": 6, "validation": 2, "test": 4}
    }
    assert len(data.load(str(tmp_path), "train[50%:]+test[:1]")) == 4
    assert "has no split tests; it has train, validation, test; did you mean test?" in refused(tmp_path, of=("tests",))
    assert refused(tmp_path, of=("train[9:]",)) == "PATH: train[9:] has no examples"
    assert "leave it out" in refused(tmp_path, test_share=0.5)
    picture(tmp_path / "test" / "fox" / "1.png")
    assert "class fox has pictures in test but none in train" in refused(tmp_path)
    (tmp_path / "train" / "fox").mkdir()
    assert "class folder train/fox has no pictures" in refused(tmp_path)
    shutil.rmtree(tmp_path / "test" / "fox")
    shutil.rmtree(tmp_path / "train" / "fox")
    picture(tmp_path / "test" / "1.png")
    assert "test/1.png lies beside class folders" in refused(tmp_path)
    (tmp_path / "test" / "1.png").rename(tmp_path / "1.png")
    assert "1.png lies beside test, train, val, in none" in refused(tmp_path)
    (tmp_path / "1.png").unlink()
    photos(tmp_path, ("extra",), 1)
    assert "beside test, train, val lies extra" in refused(tmp_path)


def test_pictures_without_folders_have_no_label(tmp_path):
    for i in range(20):
        picture(tmp_path / f"{i}.PNG", (3, 3))
    (train, test) = data.splits(str(tmp_path), "image")
    assert train.example_shape == (3, 3, 1) and len(train) + len(test) == 20
    assert "has no label, but image uint8 [N, 3, 3, 1]; this experiment wants" in refused(tmp_path)


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tif"])
def test_kinds_of_pictures(tmp_path, ending):
    shape = (4, 6) if ending in ("png", "jpg") else (4, 6, 3)
    for i in range(8):
        picture(tmp_path / f"{i}.{ending}", shape, **({"lossless": True} if ending == "webp" else {}))
    image = data.load(str(tmp_path), "train+test", test_share=0.5).arrays["image"]
    assert image.shape == (8, 4, 6, 1 if len(shape) == 2 else 3) and image.dtype == np.uint8
    with Image.open(tmp_path / f"0.{ending}") as opened:
        want = np.asarray(opened.convert("L" if len(shape) == 2 else "RGB"))
    assert any((one.squeeze() == want).all() for one in image)


def test_a_photograph_is_turned_as_it_is_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = [picture(tmp_path / f"{i}.png", (4, 6), exif=exif) for i in range(9)]
    image = data.folder(str(tmp_path))["train"].arrays["image"]
    assert image.shape[1:] == (6, 4, 1) and any((np.rot90(one, -1) == image[0, ..., 0]).all() for one in pixels)


def test_sizes_that_differ_want_a_flag(tmp_path):
    photos(tmp_path)
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, 4:12] = 255
    Image.fromarray(wide).save(tmp_path / "cat" / "wide.png")
    assert "pictures are of 2 sizes (height x width), as cat/0.png 4x5 and cat/wide.png 8x16" in refused(tmp_path)
    how = {"picture_size": "8x8", "of": ("train+test",)}
    assert "say how pictures get there: --picture_fit resize" in refused(tmp_path, picture_size="8x8")
    assert "give --picture_size HxW as well" in refused(tmp_path, picture_fit="crop")
    assert "it must be HxW" in refused(tmp_path, picture_size="8", picture_fit="crop")
    (cropped,) = data.splits(str(tmp_path), "image", picture_fit="crop", **how)
    (resized,) = data.splits(str(tmp_path), "image", picture_fit="resize", **how)
    assert cropped.example_shape == resized.example_shape == (8, 8, 3)
    assert any((one == 255).all() for one in cropped.arrays["image"])
    half = np.repeat([0, 0, 255, 255, 255, 255, 0, 0], 3).reshape(8, 3)
    assert any((one == half).all() for one in resized.arrays["image"])


def test_grey_among_colours_wants_a_flag(tmp_path):
    photos(tmp_path)
    picture(tmp_path / "dog" / "grey.png", (4, 5))
    assert "1 pictures are grey, as dog/grey.png, and 40 in colour, as cat/0.png" in refused(tmp_path)
    for colour, channels in (("grey", 1), ("rgb", 3)):
        assert data.load(str(tmp_path), "train", picture_colour=colour).example_shape == (4, 5, channels)


def bomb(path: Path) -> None:
    """A small file that says it has 30000 x 30000 pixels."""
    picture(path, (4, 4))
    content = bytearray(path.read_bytes())
    content[16:24] = (30000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


def cut(path: Path) -> None:
    picture(path, (40, 40, 3))
    path.write_bytes(path.read_bytes()[:-200])


def wrong_size(path: Path) -> None:
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(path)


def frames(path: Path) -> None:
    pages = [Image.fromarray(np.full((4, 5, 3), i * 50, np.uint8)) for i in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def odd_exif(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 0x41
    exif[0x010E] = "b"
    content = bytearray(exif.tobytes())
    at = content.index(b"\x01\x12") if b"\x01\x12" in content else content.index(b"\x12\x01")
    content[at + 2 : at + 4] = content[at + 2 : at + 4].replace(b"\x03", b"\x02")  # its type: text
    picture(path, exif=bytes(content))


def test_an_orientation_that_is_none_turns_nothing(tmp_path):
    for i in range(20):
        odd_exif(tmp_path / f"{i}.jpg")
    with Image.open(tmp_path / "0.jpg") as photo:
        assert isinstance(photo.getexif()[0x0112], str)
    assert data.folder(str(tmp_path))["train"].arrays["image"].shape[1:] == (4, 5, 3)


HOSTILE = {
    "corrupt": (lambda p: p.write_bytes(b"nonsense"), "cat/bad.png is no picture"),
    "empty": (lambda p: p.touch(), "cat/bad.png is empty"),
    "bomb": (bomb, "cat/bad.png says that it has too many pixels"),
    "16 bits": (wrong_size, "cat/bad.png has 16 bits a channel"),
    "transparent": (lambda p: picture(p, (4, 5, 4)), "cat/bad.png is transparent in places"),
    "cut": (lambda p: (cut(p), p.rename(p.with_suffix(".jpg"))), "cat/bad.jpg is damaged"),
    "frames": (lambda p: frames(p.with_suffix(".gif")), "cat/bad.gif has 3 frames"),
    "of a kind that is not read": (lambda p: p.with_suffix(".heic").touch(), "cat/bad.heic is of a kind that is not"),
    "pipe": (lambda p: os.mkfifo(p), "cat/bad.png is neither a file nor a folder"),
    "link out": (lambda p: p.symlink_to("/etc/hostname"), "cat/bad.png is a link that leads out of the folder"),
    "link to nothing": (lambda p: p.symlink_to("nothing"), "cat/bad.png is a link that leads nowhere"),
    "link to a folder": (lambda p: p.symlink_to("../dog"), "cat/bad.png is a link to a folder"),
    "link in a circle": (lambda p: p.symlink_to(".."), "cat/bad.png is a link to a folder"),
    "not UTF-8": (lambda p: Path(os.fsdecode(os.fsencode(p) + b"\xff.png")).touch(), "is not UTF-8; rename it"),
    "empty class": (lambda p: (p.parent.parent / "cow").mkdir(), "class folder cow has no pictures"),
    "beside": (lambda p: picture(p.parent.parent / "z.png"), "z.png lies beside class folders, in none of them"),
    "sounds": (lambda p: p.with_suffix(".wav").touch(), ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_folder_is_one_line_that_names_the_file(tmp_path, kind):
    photos(tmp_path, each=6)
    spoil, told = HOSTILE[kind]
    size = (40, 40) if kind == "cut" else (4, 5)
    spoil(tmp_path / "cat" / "bad.png")
    how = {"picture_size": "x".join(map(str, size)), "picture_fit": "crop"} if kind == "cut" else {}
    if not told:
        data.splits(str(tmp_path), "image")  # what was asked for is there
        with pytest.raises(BadInput, match="pictures and sounds"):
            data.folder(str(tmp_path))
        return
    text = refused(tmp_path, of=("train+test",), **how)
    assert text.startswith("PATH") and told in text


def test_folders_that_hold_no_pictures(tmp_path):
    assert refused(tmp_path / "no") == "PATH cannot be read (No such file or directory)"
    assert refused(tmp_path) == "PATH is an empty folder"
    (tmp_path / ".DS_Store").touch()
    assert refused(tmp_path) == "PATH is an empty folder"
    (tmp_path / "cat").mkdir()
    assert refused(tmp_path) == "PATH has folders and no files"
    (tmp_path / "cat" / "a.txt").write_text("a")
    assert "PATH has no pictures, but .txt 1; those read: .png" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe.npy")
    assert refused(tmp_path / "pipe.npy") == "PATH is neither a file nor a folder"


def test_a_file_that_may_not_be_read_is_named():
    if os.geteuid():
        pytest.skip("only the superuser can become somebody else")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "photos"
        photos(root)
        os.chmod(name, 0o755)
        os.chmod(root / "cat" / "3.png", 0)
        try:
            os.seteuid(65534)
            assert refused(root) == "PATH: cat/3.png cannot be read (Permission denied)"
            os.seteuid(0)
            os.chmod(root / "dog", 0)
            os.seteuid(65534)
            assert refused(root) == "PATH: dog cannot be read (Permission denied)"
        finally:
            os.seteuid(0)


def test_one_class_tells_nothing_apart(tmp_path):
    photos(tmp_path, ("cat",))
    assert len(data.splits(str(tmp_path), "image", "label")[0]) > 1
    assert "has 1 class in train, and 2 at least are wanted" in refused(tmp_path, num_classes=2)


def test_names_are_compared_as_they_are_read(tmp_path):
    one, two = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    for split, name in (("train", one), ("test", two)):
        photos(tmp_path / split, (name, "猫"), 2)
    train, test = data.splits(str(tmp_path), "image", "label")
    assert train.class_names == test.class_names == ["café", "猫"] and len(test) == 4
    photos(tmp_path / "train", (two,), 1)
    assert "two folders are called café" in refused(tmp_path)


def remarks(path: Path) -> str:
    """What a person is told of a folder."""
    from adl.core import sources

    with sources.noting() as found:
        data.splits(str(path), "image")
    (noted,) = found
    return "\n".join(noted.remarks).replace(str(path), "PATH")


def test_what_is_left_out_or_double_is_counted_and_said(tmp_path):
    for split in ("train", "test"):
        photos(tmp_path / split, each=4)
    for name in ("1.png", "2.png"):
        shutil.copy(tmp_path / "train" / "cat" / name, tmp_path / "test" / "dog" / f"copy{name}")
    (tmp_path / "train" / "cat" / "notes.txt").write_text("a")
    (tmp_path / "train" / "cat" / ".hidden.png").touch()
    picture(tmp_path / "train" / "fox" / f"{'x' * 200}.png")
    told = remarks(tmp_path).splitlines()
    assert told[0] == "PATH: pictures [4, 5, 3], rgb; 9 to train, 10 to test; 3 classes (cat, dog, fox)"
    assert told[1] == "PATH: also in train, by their content: 2 of test"
    assert told[2] == "PATH: 1 other files are left out (.txt 1), as train/cat/notes.txt"
    assert told[3] == "PATH: test has no pictures of fox"


def test_large_folders_stay_on_disk_and_say_the_same(tmp_path, monkeypatch):
    photos(tmp_path)
    memory = data.shuffled(data.load(str(tmp_path), "train"), 7)
    monkeypatch.setattr(source, "MEMORY_LIMIT", 100)
    stored = data.load(str(tmp_path), "train").require("image", "label")
    assert isinstance(stored, data.StoredSplit) and stored.num_classes == 2
    disk = data.shuffled(stored, 7)
    for step in (0, 1, 9, 2):
        for name, want in memory[step].items():
            np.testing.assert_array_equal(disk[step][name], want)
    cats = data.load(str(tmp_path), "train[:50%]")
    assert isinstance(cats, data.StoredSplit) and len(cats) == round(len(stored) / 2)


def test_folders_of_sounds(tmp_path):
    for name in ("yes", "no"):
        (tmp_path / name).mkdir()
        for i in range(8):
            with wave.open(str(tmp_path / name / f"{i}.wav"), "wb") as sound:
                sound.setparams((1, 2, 8000, 0, "NONE", ""))
                sound.writeframes(np.arange(-5, 20 + i, dtype="<i2").tobytes())
    train = data.folder(str(tmp_path))["train"]
    assert train.class_names == ["no", "yes"] and train.arrays["audio"][0].dtype == np.int16
    assert train.arrays["audio"][0][0] == -5 and set(train.arrays["rate"].tolist()) == {8000}
    (tmp_path / "no" / "9.wav").write_bytes(b"RIFF")
    with pytest.raises(BadInput, match="no/9.wav is no sound that is read"):
        data.folder(str(tmp_path))
    with wave.open(str(tmp_path / "no" / "9.wav"), "wb") as sound:
        sound.setparams((2, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0" * 8)
    with pytest.raises(BadInput, match=r"no/9.wav has 2 channels of 16 bits, and 1 of 16 is wanted"):
        data.folder(str(tmp_path))
