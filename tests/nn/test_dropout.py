"""Dropout has one convention, in every module of the library."""

import ast
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from adl.nn.dropout import Dropout

ROOT = Path(__file__).parent.parent.parent / "adl"
FLAGGED = {"Dropout", "BatchNorm", "SpectralNorm"}  # of flax, each with a flag that says whether this is training


def test_acts_where_there_is_a_key_and_keeps_the_mean():
    x = jnp.ones((40_000,))
    still, drawn = Dropout(0.25).apply({}, x), Dropout(0.25).apply({}, x, rngs={"dropout": jax.random.key(0)})
    np.testing.assert_array_equal(still, x)
    np.testing.assert_allclose(np.unique(drawn), [0, 1 / 0.75], rtol=1e-6)
    assert abs(drawn.mean() - 1) < 5 * (0.25 / 0.75 / len(x)) ** 0.5


def test_no_module_has_a_flag_for_training():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in FLAGGED:
                # The three wrappers alone, which ask the scope instead: nn/dropout.py, nn/resnet.py, nn/spectral.py.
                assert path.stem in ("dropout", "resnet", "spectral"), f"{path}:{node.lineno}: {ast.unparse(node)}"
            if isinstance(node, ast.arg):
                assert node.arg not in ("is_training", "training", "deterministic"), f"{path}:{node.lineno}: {node.arg}"
