"""A language model with a state says the same however its text is cut, and padding moves nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.nn.recurrence import LRU, Layers, Mamba
from adl.nn.recurrent import Recurrents, gru
from adl.nn.tcn import TCN
from adl.nn.token import TokenModel
from adl.nn.transformer import swiglu


def layers(dtype: jnp.dtype = jnp.float32) -> dict:
    return {
        "gru": Recurrents(gru, (8, 8), dtype=dtype),
        "lru": Layers(functools.partial(LRU, 8), 2, swiglu, dtype=dtype),
        "mamba": Layers(functools.partial(Mamba, 4, dtype=dtype), 2, dtype=dtype),
        "tcn": TCN((8, 8, 8), 3, dtype=dtype),
    }


LAYERS = layers()
TOKEN = np.random.default_rng(0).integers(0, 11, (3, 10))
NEAR = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(params=LAYERS, scope="module")
def fitted(request):
    """A model, compiled, and its logits of whole texts."""
    model = TokenModel(11, 8, LAYERS[request.param])
    variables = jax.jit(model.init)(jax.random.key(0), TOKEN)
    apply = jax.jit(lambda token, mask=None, cache=None: model.apply(variables, token, mask=mask, cache=cache))
    return model, apply, apply(TOKEN)


def test_a_cache_changes_nothing(fitted):
    model, apply, want = fitted
    cache, found = model.empty_cache(3), []
    for start, stop in ((0, 4), (4, 5), (5, 6), (6, 10)):
        logits, cache = apply(TOKEN[:, start:stop], cache=cache)
        found.append(logits)
    np.testing.assert_allclose(np.concatenate(found, 1), want, **NEAR)


@pytest.mark.parametrize("side", ["left", "right"])
def test_ragged_rows_are_as_if_alone(fitted, side):
    model, apply, want = fitted
    lengths = np.array([4, 1, 3])
    place = np.arange(4)[None] - (4 - lengths[:, None] if side == "left" else 0)
    mask = (place >= 0) & (place < lengths[:, None])
    prompt = np.where(mask, np.take_along_axis(TOKEN, place.clip(0), 1), 7)
    rows = np.arange(3)
    logits, cache = apply(prompt, mask, model.empty_cache(3))
    for row, real in enumerate(mask):
        np.testing.assert_allclose(logits[row, real], want[row, : lengths[row]], **NEAR)
    for t in range(3):
        logits, cache = apply(TOKEN[rows, lengths + t][:, None], cache=cache)
        np.testing.assert_allclose(logits[:, 0], want[rows, lengths + t], **NEAR)


@pytest.mark.parametrize("name", LAYERS)
def test_a_cache_keeps_its_shapes_in_few_bits(name):
    """So that it can be carried through a loop; parameters and logits keep all bits."""
    model = TokenModel(11, 8, layers(jnp.bfloat16)[name], dtype=jnp.bfloat16)
    variables = jax.eval_shape(model.init, jax.random.key(0), TOKEN)
    before = jax.eval_shape(lambda: model.empty_cache(3, 12))
    mask = np.ones(TOKEN.shape, bool)
    logits, after = jax.eval_shape(lambda v, c: model.apply(v, TOKEN, mask=mask, cache=c), variables, before)
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, logits))} == {jnp.dtype("float32")}
    assert jax.tree.map(lambda x: (x.shape, x.dtype), before) == jax.tree.map(lambda x: (x.shape, x.dtype), after)
