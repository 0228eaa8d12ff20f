"""Checkpoints are read whole, from a folder, a file or parts; what cannot be read is told in one line."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from adl.core import BadInput
from adl.data.safetensors import weights

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
    with pytest.raises(BadInput, match=message) as error:
        weights(folder)
    assert "\n" not in str(error.value)
