"""Checkpoints are read whole, from a folder, a file or parts; what cannot be read is told in one line."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from adl.core import BadInput
from adl.data.safetensors import enclosed, weights, write_weights

TENSORS = {"a": np.arange(6, dtype="f").reshape(2, 3), "b": np.asarray(jnp.arange(4, dtype=jnp.bfloat16))}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "any"}')
    save_file(TENSORS, tmp_path / "model.safetensors")
    return tmp_path


@pytest.mark.parametrize("where", ["folder", "file", "parts"])
def test_what_was_written_is_read(folder, where):
    path = folder
    if where == "file":
        path = folder / "other.safetensors"
        (folder / "model.safetensors").rename(path)
    if where == "parts":
        (folder / "model.safetensors").unlink()
        for name, tensor in TENSORS.items():
            save_file({name: tensor}, folder / f"{name}.safetensors")
        parts = {"weight_map": {name: f"{name}.safetensors" for name in TENSORS}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(parts))
    config, tensors = weights(str(path))
    assert config == {"model_type": "any"} and tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(tensors[name], tensor)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "^no config.json in .*; a checkpoint is"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read: "),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json is no configuration"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "no safetensors file, or damaged"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "^no model.safetensors in .*; pytorch_model.bin is of another format",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(folder, spoil, message):
    spoil(folder)
    assert_refused(folder, message)


def assert_refused(folder, message):
    with pytest.raises(BadInput, match=message) as error:
        weights(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b"[" * 200_000, "cannot be read: "),
        (b"9" * 10_000, "cannot be read: "),
        (b'{"a": "\xff"}', "cannot be read: "),
        (b"null", "is no configuration"),
    ],
)
def test_configurations_that_are_none(folder, written, message):
    (folder / "config.json").write_bytes(written)
    assert_refused(folder, message)


DATA = bytes(24)
A = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def file(header, data=DATA, length=None) -> bytes:
    """Of the format, as its header says, damaged or not."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def test_a_file_that_is_sound_is_read(folder):
    (folder / "model.safetensors").write_bytes(file({"a": A, "none": A | {"shape": [0], "data_offsets": [24, 24]}}))
    tensors = weights(folder).tensors
    np.testing.assert_array_equal(tensors["a"], np.zeros((2, 3), "f"))
    assert tensors["none"].shape == (0,)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b"", "a header of 0 bytes in a file of 0"),
        (file({"a": A}, length=10**12), "a header of 1000000000000 bytes in a file of"),
        (file({"a": A}, length=10**19), "a header of 10+ bytes in a file of"),
        (file(b'{"a": "\xff"}'), "damaged: .*utf-8"),
        (file(b"[" * 200_000), "damaged: "),
        (file([]), "no list of tensors"),
        (file({"a": 3}), "tensor a needs dtype, shape and data_offsets"),
        (file({"a": A | {"more": 1}}), "tensor a needs dtype"),
        (file({"a": A | {"dtype": "F8_E4M3", "data_offsets": [0, 6]}}, bytes(6)), "a is of type F8_E4M3, where F64"),
        (file({"a": A | {"dtype": ["F32"]}}), "a is of type"),
        (file({"a": A | {"dtype": "F64"}}), r"a of F64 \[2, 3\] has 24 bytes"),
        (file({"a": A | {"shape": [10**12, 10**12]}}), "a of F32 .* has 24 bytes"),
        (file({"a": A | {"shape": [-2, -3]}}), "a has shape"),
        (file({"a": A | {"shape": [2.0, 3]}}), "a has shape"),
        (file({"a": A | {"shape": None}}), "a has shape"),
        (file({"a": A | {"data_offsets": [0, 24, 24]}}), "a has 2 axes and 3 data_offsets"),
        (file({"a": A, "b": A}), "tensors end at byte 24, and the next begins, or the file ends, at 0"),
        (file({"a": A}, DATA[1:]), "tensors end at byte 24, and the next begins, or the file ends, at 23"),
        (file({"a": A}, DATA + b"x"), "tensors end at byte 24"),
        (file({"a": A | {"data_offsets": [8, 32]}}, bytes(32)), "tensors end at byte 0"),
        (file(b'{"a": %b, "a": %b}' % ((json.dumps(A).encode(),) * 2)), "a stands twice"),
    ],
)
def test_damaged_files_are_refused_before_anything_is_allocated(folder, written, message):
    (folder / "model.safetensors").write_bytes(written)
    assert_refused(folder, message)


@pytest.mark.parametrize("path", ["gpt2", "openai-community/gpt2", "~/no/such/gpt2"])
def test_a_name_is_no_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"gpt2: there is no such folder; .* tokenizer.json, never downloaded"):
        weights(path)


def in_parts(folder, part_of) -> None:
    (folder / "model.safetensors").rename(folder / "one.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": part_of}))


@pytest.mark.parametrize("part_of", [["a"], None, {}, {"a": 3}, "a"])
def test_an_index_that_is_none_is_refused(folder, part_of):
    in_parts(folder, part_of)
    assert_refused(folder, "must hold a weight_map: names of tensors, and the file that each is in")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../one.safetensors", "is not in .* but elsewhere"),
        ("link.safetensors", "is not in .* but elsewhere"),
        ("ring.safetensors", "is no name of a file|no ring.safetensors"),
        ("other.safetensors", "no other.safetensors in"),
        ("x" * 5000, "is no name of a file"),
        ("a\0b", "is no name of a file"),
        ("again.safetensors", "tensor 'a' is in two parts"),
    ],
)
def test_parts_are_files_of_the_folder_that_share_nothing(tmp_path, folder, name, message):
    inside = folder / "inside"
    inside.mkdir()
    (folder / "config.json").rename(inside / "config.json")
    in_parts(folder, {"a": "one.safetensors", "b": name})
    save_file(TENSORS, inside / "one.safetensors")
    save_file({"a": TENSORS["a"]}, inside / "again.safetensors")
    (folder / "model.safetensors.index.json").rename(inside / "model.safetensors.index.json")
    (inside / "link.safetensors").symlink_to(folder / "one.safetensors")
    (inside / "ring.safetensors").symlink_to(inside / "ring.safetensors")
    assert_refused(inside, message)


def test_an_absolute_part_and_a_tensor_of_no_part_are_refused(folder):
    in_parts(folder, {"a": "/etc/hostname"})
    assert_refused(folder, "is not in .* but elsewhere")
    (folder / "one.safetensors").rename(folder / "model.safetensors")
    in_parts(folder, {"a": "one.safetensors", "c": "one.safetensors"})
    assert_refused(folder, "names tensor 'c', which no part has")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_files_may_link_into_the_cache_that_they_are_of_and_nowhere_else(folder, name):
    snapshot, blobs = folder / "snapshots" / "1", folder / "blobs"
    for made in (snapshot, blobs):
        made.mkdir(parents=True)
    for each in ("config.json", "model.safetensors"):
        (folder / each).rename(blobs / each)
        (snapshot / each).symlink_to(blobs / each)
    assert weights(snapshot).tensors.keys() == TENSORS.keys()
    (blobs / name).rename(folder / name)
    (snapshot / name).unlink()
    (snapshot / name).symlink_to(folder / name)
    assert_refused(snapshot, f"{name} is not in .* but elsewhere")


def test_what_is_written_is_read(tmp_path):
    tensors = {**TENSORS, "turned": TENSORS["a"].T, "none": np.zeros((0, 3), "f")}  # one not in the order of its memory
    folder = write_weights(tmp_path / "new" / "one", {"model_type": "any"}, tensors, {"tokenizer.json": b"{}"})
    config, found = weights(folder)
    assert config == {"model_type": "any"} and found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)
    assert enclosed(folder, "tokenizer.json") == b"{}" and enclosed(folder, "other.json") is None
    assert [path.name for path in folder.parent.iterdir()] == ["one"]


def test_nothing_is_overwritten_and_nothing_is_half_written(folder, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for there in (folder, folder / "config.json"):
        with pytest.raises(BadInput, match="there is something already, and nothing is overwritten"):
            write_weights(there, {}, TENSORS)
    with pytest.raises(BadInput, match="cannot be written: .*; choose another folder"):
        write_weights(folder / "config.json" / "below", {}, TENSORS)
    with pytest.raises(BadInput, match="cannot be written"):
        write_weights(folder / "half", {}, TENSORS, {"no/such/place": b""})
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "empty").mkdir()
    assert weights(write_weights(folder / "empty", {}, TENSORS)).tensors.keys() == TENSORS.keys()
    monkeypatch.chdir(folder)
    assert weights(write_weights("here", {}, TENSORS)).tensors.keys() == TENSORS.keys()
