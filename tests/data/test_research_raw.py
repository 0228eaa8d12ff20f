"""Raw files and the command line: what is missing, damaged, changed, hostile or in the way is one line, exit code 2."""

import gzip
import io
import os
import pickle
import resource
import shutil
import stat
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.sparse

from adl import data
from adl.core import BadInput
from adl.data.__main__ import main
from adl.data.research import DERIVED, SETS, formats, images, making, raw
from adl.data.research.making import make
from adl.data.research.pickled import unpickled
from adl.data.research.raw import Raw

TEXT = "First Citizen:\nSpeak, speak.\n" * 4


@pytest.fixture
def text(tmp_path, monkeypatch) -> Path:
    """A raw folder of the smallest set, whose examples are known."""
    folder, builder = tmp_path / "raw", SETS["tiny_shakespeare"]
    folder.mkdir()
    (folder / "input.txt").write_text(TEXT)
    make(builder.name, folder, tmp_path / "known", accept_changed=True)
    sums = making._sums(builder, tmp_path / "known" / builder.name / "1.0.0")
    monkeypatch.setattr(builder, "known", sums)
    monkeypatch.setattr(builder, "sums", {"input.txt": raw._sha256(folder / "input.txt")})
    return folder


def refused(capfd, *words: object) -> str:
    """What the command line says of words that it refuses."""
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words)])
    out, error = capfd.readouterr()
    assert stop.value.code == 2 and not out and error.startswith("error: ") and error.count("\n") == 1, error
    return error.removeprefix("error: ").rstrip()


def prepare(capfd, folder: Path, place: Path, *more: object) -> str:
    return refused(capfd, "prepare", "tiny_shakespeare", folder, "--data_dir", place, *more)


def test_the_list_says_of_each_set_what_it_wants_and_under_what_licence(capfd):
    main([])
    out = " ".join(capfd.readouterr().out.split())
    for name, builder in SETS.items():
        assert f"{name}: {builder.use}" in out and f"licence: {builder.licence}" in out
        assert all(file in out for file in builder.files) and builder.source in out
        kinds = [kind for kind in builder.__mro__ if kind.__module__ == builder.__module__]
        assert all(value in out for value in builder.sums.values()) and builder.protocol in out
        docstrings = " ".join(" ".join(kind.__doc__ for kind in kinds).split())
        assert builder.sums or "SHA-256" in docstrings
        assert "Source: " in docstrings and "Licence: " in docstrings
    assert all(f"{name}: not made here" in out for name in DERIVED)
    assert "python -m adl.data prepare NAME RAW_FOLDER" in out


def test_a_reader_of_the_list_may_leave():
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -W error -m adl.data | true"], capture_output=True, text=True, check=True
    )
    assert not done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("prepare", "mnits", "."), "no research set 'mnits'; did you mean mnist?; `python -m adl.data` lists them"),
        (("prepare", "digits", "."), "digits is bundled: it needs no raw files"),
        (("prepare", "molecules_tm_tb", "."), "molecules_tm_tb cannot be prepared: its graphs were made with RDKit"),
        (("prepare",), "NAME and RAW_FOLDER: missing; usage: python -m adl.data prepare NAME RAW_FOLDER"),
        (("prepare", "mnist"), "RAW_FOLDER: missing"),
        (("prepair", "mnist", "."), "prepair: the commands are prepare and list; did you mean prepare?"),
        (("mnist", "."), "mnist: the commands are prepare and list; `prepare mnist RAW_FOLDER` makes it"),
        (
            ("prepare", "mnist", ".", "--data_dri", "x"),
            "--data_dri is one word too many, or no flag; did you mean --data_dir?",
        ),
        (("prepare", "mnist", ".", "more"), "more is one word too many"),
        (("prepare", "mnist", ".", "--data_dir", "a", "--data_dir", "b"), "--data_dir: it is given twice"),
        (("prepare", "mnist", ".", "--data_dir"), "argument --data_dir: expected one argument"),
        (("prepare", "mnist", "/nowhere"), "RAW_FOLDER /nowhere is not there; give the folder that holds the files"),
        (("prepare", "mnist", "gs://bucket/raw"), "RAW_FOLDER gs://bucket/raw: files are read and written in folders"),
        (("prepare", "mnist", __file__), f"RAW_FOLDER {__file__} is a file"),
    ],
)
def test_bad_words_are_one_line(words, told, capfd):
    assert refused(capfd, *words).startswith(told)


def test_help_is_help(capfd):
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "--help"])
    assert not stop.value.code and "--accept_changed" in capfd.readouterr().out


def test_a_set_that_is_prepared_is_loaded_and_prepared_once(text, tmp_path, capfd, monkeypatch):
    place = tmp_path / "my data"
    with pytest.raises(BadInput) as missing:
        data.load("tiny_shakespeare", "train", str(place))
    command = f"`python -m adl.data prepare tiny_shakespeare RAW_FOLDER --data_dir '{place}'`"
    assert command in str(missing.value) and "RAW_FOLDER holds data/tinyshakespeare/input.txt (from" in str(
        missing.value
    )
    words = ["prepare", "tiny_shakespeare", str(text), "--data_dir", str(place)]
    main(words)
    assert f"tiny_shakespeare: prepared in {place}/tiny_shakespeare/1.0.0 (train 1" in capfd.readouterr().out
    found = [
        data.load("tiny_shakespeare", split, str(place)).arrays["text"][0] for split in ("train", "validation", "test")
    ]
    assert b"".join(found).decode() == TEXT
    before = (place / "tiny_shakespeare" / "1.0.0").stat().st_mtime_ns
    main(words)
    assert "has these very examples already (train 1, validation 1, test 1); it stays" in capfd.readouterr().out
    assert (place / "tiny_shakespeare" / "1.0.0").stat().st_mtime_ns == before and os.listdir(place) == [
        "tiny_shakespeare"
    ]
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "of the environment"))
    main(words[:3])
    assert (tmp_path / "of the environment" / "tiny_shakespeare" / "1.0.0").is_dir()


def test_the_message_of_a_derived_set_says_that_it_is_not_made(tmp_path):
    with pytest.raises(BadInput, match="it cannot be made here: its graphs were made with RDKit"):
        data.load("molecules_tm_tb", "train", str(tmp_path))


def test_changed_files_never_pass_silently(text, tmp_path, capfd):
    (text / "input.txt").write_text(TEXT[:-1] + "!")
    place = tmp_path / "tfds"
    told = prepare(capfd, text, place)
    assert told.startswith("tiny_shakespeare: the raw files are not those that are published: examples of test differ")
    assert "not byte for byte as published: input.txt; --accept_changed keeps" in told and not os.listdir(place)
    main(["prepare", "tiny_shakespeare", str(text), "--data_dir", str(place), "--accept_changed"])
    assert "warning: the raw files are not" in capfd.readouterr().out
    assert making.CHANGED in (place / "tiny_shakespeare" / "1.0.0" / "dataset_info.json").read_text()


def test_what_is_there_is_not_overwritten(text, tmp_path, capfd):
    place = tmp_path / "tfds"
    there = place / "tiny_shakespeare" / "1.0.0"
    there.mkdir(parents=True)
    (there / "mine").write_text("kept")
    assert f"{there} is there already, and does not hold these examples (" in prepare(capfd, text, place)
    assert (there / "mine").read_text() == "kept" and len(os.listdir(there)) == 1
    shutil.rmtree(there)
    shutil.copytree(tmp_path / "known" / "tiny_shakespeare" / "1.0.0", there)
    (text / "input.txt").write_text(TEXT + "More.\n")
    told = prepare(capfd, text, place, "--accept_changed")
    assert f"{there} is there already, with other examples (train 1" in told
    assert data.load("tiny_shakespeare", "test", str(place)).arrays["text"][0].decode() in TEXT
    # A schema that names other code is not imported.
    (there / "features.json").write_text('{"pythonClassName": "evil.Feature"}')
    assert "does not hold these examples (its columns are others)" in prepare(capfd, text, place, "--accept_changed")


def test_no_place_to_write_and_a_full_disk_are_one_line(text, tmp_path, capfd):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    told = f"data set tiny_shakespeare cannot be prepared in {closed}: Permission denied; give a --data_dir that can be"
    assert prepare(capfd, text, closed).startswith(told)
    assert "File exists" in prepare(capfd, text, text / "input.txt")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        with pytest.raises(BadInput, match="File too large.*; give a --data_dir that can be written"):
            make("tiny_shakespeare", text, tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not os.listdir(tmp_path / "full")


def test_an_interrupt_leaves_nothing(text, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SETS["tiny_shakespeare"], "_generate_examples", stopped)
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "tiny_shakespeare", str(text), "--data_dir", str(tmp_path / "tfds")])
    assert stop.value.code == 130 and not os.listdir(tmp_path / "tfds")


def test_a_faster_process_is_no_fault(text, tmp_path, monkeypatch):
    def late(aside, place, part):
        shutil.copytree(tmp_path / "known" / part, place / part)
        raise OSError("it is there")

    monkeypatch.setattr(making, "move_in", late)
    assert "has these very examples already" in make("tiny_shakespeare", text, tmp_path / "tfds")


def test_examples_that_tfds_refuses_are_one_line(text, tmp_path, capfd, monkeypatch):
    twice = lambda self: {"train": [("a", {"text": "x"}), ("a", {"text": "y"})]}  # noqa: E731
    monkeypatch.setattr(SETS["tiny_shakespeare"], "examples", twice)
    assert prepare(capfd, text, tmp_path / "tfds").startswith(f"tiny_shakespeare cannot be made of {text}: ")


def message(folder: Path, name: str, parse=bytes) -> str:
    with warnings.catch_warnings(), Raw(folder) as files, pytest.raises(BadInput) as caught:
        files.read(name, parse)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def content(folder: Path, name: str) -> bytes:
    with Raw(folder) as files:
        return files.read(name)


def test_a_file_is_found_by_the_end_of_its_path(tmp_path):
    for place in ("a/data/x.txt", "b/data/x.txt", "b/data/train/y.csv", ".git/z.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(place)
    (tmp_path / "g.bin.gz").write_bytes(gzip.compress(b"packed"))
    assert content(tmp_path, "b/data/x.txt") == b"b/data/x.txt", "not that of a"
    assert content(tmp_path / "b" / "data", "repository/data/train/y.csv") == b"b/data/train/y.csv"
    assert content(tmp_path / "b" / "data" / "train", "data/train/y.csv") == b"b/data/train/y.csv"
    assert content(tmp_path, "some/g.bin") == b"packed"
    assert "has no data/w.txt; no file is called w.txt, nor that and .gz" in message(tmp_path, "data/w.txt")
    assert "has no z.txt" in message(tmp_path, "z.txt")
    told = message(tmp_path, "other/x.txt")
    assert told.endswith("has no other/x.txt; a/data/x.txt is in another folder than it should be"), "and is not taken"
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    assert message(tmp_path, "w.txt").endswith(f"not looked into, as closed or a link: {tmp_path}/linked")
    both = message(tmp_path, "data/x.txt")
    assert both.endswith("are both data/x.txt, and differ; leave one") and f"{tmp_path}/a/data/x.txt" in both
    (tmp_path / "b/data/x.txt").write_text("a/data/x.txt")
    assert content(tmp_path, "data/x.txt") == b"a/data/x.txt", "two of the same are one"


def packed_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, value)


def packed_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, value in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(value)
            archive.addfile(member, io.BytesIO(value))


@pytest.mark.parametrize(("pack", "kind"), [(packed_zip, "zip"), (packed_tar, "tar.gz")])
def test_archives_are_read_where_they_lie(pack, kind, tmp_path, monkeypatch):
    members = {"set-1.0/data/x.txt": b"one", "set-1.0/y.bin.gz": gzip.compress(b"two"), "set-1.0/z.txt": b"three"}
    pack(tmp_path / f"set.{kind}", members)
    with Raw(tmp_path) as files:
        assert [files.read(name) for name in ("y.bin", "data/x.txt", "z.txt", "y.bin")] == [
            b"two",
            b"one",
            b"three",
            b"two",
        ]
    assert sorted(os.listdir(tmp_path)) == [f"set.{kind}"], "nothing is unpacked"
    assert f"has no w.txt; no file is called w.txt, nor that and .gz, nor in set.{kind}" in message(tmp_path, "w.txt")
    (tmp_path / "z.txt").write_text("on disk")
    assert content(tmp_path, "z.txt") == b"on disk"
    whole = (tmp_path / f"set.{kind}").read_bytes()
    (tmp_path / f"set.{kind}").write_bytes(whole[: len(whole) // 2])
    assert f"set.{kind} cannot be read: " in message(tmp_path, "data/x.txt")
    for outside in ("../x.txt", "/etc/x.txt", "a\\..\\x.txt"):
        pack(tmp_path / f"set.{kind}", {outside: b"out"})
        assert f"its member {outside!r} leads out of the folder" in message(tmp_path, "x.txt")
    pack(tmp_path / f"set.{kind}", {"x.txt": bytes(10**6)})
    monkeypatch.setattr(raw, "FILE_LIMIT", 1000)
    assert "x.txt cannot be read: it has more than 1000 bytes" in message(tmp_path, "x.txt")
    monkeypatch.setattr(raw, "ARCHIVE_LIMIT", 10**5)
    assert f"set.{kind} unpacks to more than 100000 bytes" in message(tmp_path, "x.txt")


def test_links_in_a_tar_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        link = tarfile.TarInfo("x.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    assert "has no x.txt" in message(tmp_path, "x.txt")


def test_files_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(b"some text")[:-6])
    assert f"{tmp_path}/x.txt.gz cannot be read: " in message(tmp_path, "x.txt")
    (tmp_path / "b.gz").write_bytes(gzip.compress(bytes(10**6)))
    monkeypatch.setattr(raw, "FILE_LIMIT", 1000)
    assert "b.gz cannot be read: it has more than 1000 bytes; fetch it again" in message(tmp_path, "b")
    os.mkfifo(tmp_path / "pipe.txt")
    assert "pipe.txt cannot be read: it is no regular file" in message(tmp_path, "pipe.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    assert message(tmp_path, "gone.txt").endswith("gone.txt cannot be read: No such file or directory")


@pytest.mark.parametrize(
    ("parse", "given", "told"),
    [
        (formats.idx, b"", "it begins with , as no IDX file"),
        (formats.idx, b"\0\0\x0d\x01\0\0\0\x01" + bytes(4), "it begins with 00000d01"),
        (formats.idx, b"\0\0\x08\x02\0\0\0\x02\xff\xff\xff\xff123", "it has 15 bytes, and should have 8589934602"),
        (formats.idx, b"\0\0\x08\x01\0\0\0\x031234", "it has 12 bytes, and should have 11"),
        (lambda data: formats.mat(data, "ff"), b"MATLAB?", "it is no MATLAB file"),
        (lambda data: formats.pcm(data, 8000), b"RIFF....WAVE", "it is no WAV file"),
        (formats.matrix_text, b"1 2\n3 x\n", "could not convert string 'x'"),
        (formats.matrix_text, b"1 2\n3\n", "columns changed"),
        (formats.matrix_text, b"1 nan\n", "missing or infinite"),
        (formats.matrix_text, b"", "no data"),
        (formats.indices_text, b"1.5\n", "whole numbers from 0 on"),
        (formats.indices_text, b"-1\n", "whole numbers from 0 on"),
        (formats.csv_rows, b"a,b\n1\n", "its row 2 has 1 cells, and the header 2"),
        (formats.csv_rows, b"a,a\n1,2\n", "names a column twice"),
        (formats.csv_rows, b"", "not enough values"),
        (formats.text_lines("utf-8"), b"\xff\n", "can't decode"),
        (lambda data: formats.bitmap(data, 3), b"", "it is no PNG or JPEG picture"),
        (lambda data: formats.bitmap(data, 3), b"GIF89a....", "it is no PNG or JPEG picture"),
        (
            lambda data: formats.bitmap(data, 1),
            cv2.imencode(".png", np.zeros((2, 2, 3), np.uint8))[1].tobytes(),
            "3 channels",
        ),
        (
            formats.jpeg(4, 4),
            cv2.imencode(".jpg", np.zeros((4, 5, 3), np.uint8))[1].tobytes(),
            "no JPEG picture of 4x4",
        ),
        (formats.voices, b"[1]", "no object of lists"),
        (formats.voices, b'{"train": [[[1, 2, 3]]]}', "not [T, 4]"),
        (formats.voices, b'{"train": [[[1, 2, 3, 200]]]}', "must be -1 ... 127"),
        (formats.voices, b"[" * 10**5, "recursion"),
        (unpickled, b"", "it is no pickle of arrays"),
        (unpickled, pickle.dumps("text"), "it holds str, no array"),
        (lambda data: images._frames(unpickled(data)), pickle.dumps(["faces"]), "no frames where they should be"),
        (lambda data: images._frames(unpickled(data)), pickle.dumps(np.zeros((3, 560))), "it must be 1,965 frames"),
        (lambda data: images._frames(unpickled(data)), pickle.dumps(np.full((401, 560), 0.5)), "whole numbers in 0"),
        (lambda data: [*formats.grey_stack(data)], b"II*", "it is no TIFF picture"),
        (unpickled, pickle.dumps(np.array([None])), "holds objects, not numbers"),
        (unpickled, pickle.dumps({1: ["x"]}), "holds str, not integers"),
    ],
)
def test_what_is_not_of_its_format_is_one_line(parse, given, told, tmp_path):
    (tmp_path / "x").write_bytes(given)
    found = message(tmp_path, "x", parse)
    assert found.startswith(f"{tmp_path}/x cannot be read: ") and told in found, found


def test_a_picture_that_unpacks_to_too_much_is_not_unpacked(tmp_path):
    png = bytearray(cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes())
    for side, told in ((10**4, "says that it has 10000 x 10000 pixels"), (10**5, "far more than 67108864")):
        png[16:24] = side.to_bytes(4, "big") * 2
        png[29:33] = zlib.crc32(bytes(png[12:29])).to_bytes(4, "big")
        with pytest.raises(ValueError, match=told):
            formats.bitmap(bytes(png), 1)


class Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_nothing_in_a_pickle_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array = pickle.dumps(np.arange(3), protocol=2)
    calls = {
        "posix.system": pickle.dumps(Evil()),
        "builtins.eval": b"cbuiltins\neval\n(V1+1\ntR.",
        "numpy.load": b"cnumpy\nload\n(Vx\ntR.",
        "numpy.core.multiarray.scalar": b"cnumpy.core.multiarray\nscalar\n.",
        "builtins.getattr": b"c__builtin__\ngetattr\n.".replace(b"__builtin__", b"builtins"),
    }
    for named, program in calls.items():
        with pytest.raises(ValueError, match=f"it names {named}, and only arrays are read"):
            unpickled(program)
    for program in (
        b"c__builtin__\nlist\n}b.",  # a state for a type
        b"cnumpy\nndarray\n}b.",
        b"c_codecs\nencode\n}(Vx\nV1\nub.",
        b"c__builtin__\nobject\n(tR.",
        array[:-8],
        array.replace(b"K\x03\x85", b"K\x04\x85"),  # of another size than its bytes
    ):
        with pytest.raises(ValueError):
            unpickled(program)
    assert not os.listdir(tmp_path)


def test_arrays_come_out_of_pickles_of_any_age():
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    for protocol in range(pickle.HIGHEST_PROTOCOL):
        np.testing.assert_array_equal(unpickled(pickle.dumps(table, protocol=protocol)), table)
        np.testing.assert_array_equal(unpickled(pickle.dumps(np.asfortranarray(table), protocol=protocol)), table)
        sparse = scipy.sparse.csr_matrix(table)
        if protocol >= 2:
            np.testing.assert_array_equal(unpickled(pickle.dumps(sparse, protocol=protocol)), table)
    # As Python 2 wrote them, by hand: bytes are strings there.
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    start = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    old = unpickled(start + b"(K\x01K\x02K\x02\x86" + dtype + b"\x89U\x04\x01\x02\x03\xfftb.")
    np.testing.assert_array_equal(old, np.array([[1, 2], [3, 255]], np.uint8))
    graph = unpickled(b"\x80\x02ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(K\x00]K\x01aK\x01]K\x00au.")
    assert graph == {0: [1], 1: [0]}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"indices": [0, 3], "indptr": [0, 1, 2]}, "columns beyond its width"),
        ({"indices": [0, 1], "indptr": [0, 1, 3]}, "damaged"),
        ({"indices": [0, 1], "indptr": [0, 2, 2, 2]}, "damaged"),
        ({"_shape": (2, 10**12)}, "damaged"),
    ],
)
def test_damaged_sparse_matrices_are_refused(state, told):
    sparse = scipy.sparse.csr_matrix(np.array([[1, 0, 0], [0, 2, 0]], np.int32))
    for name, value in state.items():
        sparse.__dict__[name] = value if name == "_shape" else np.array(value, np.int32)
    with pytest.raises(ValueError, match=told):
        unpickled(pickle.dumps(sparse, protocol=2))
