"""Causal models look only back: proved by the gradient of each position's logits in each token's embedding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adl.nn.attention import causal
from adl.nn.recurrence import LRU, Layers, Mamba
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.tcn import TCN
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT, rms_norm, swiglu

LENGTH, KEY = 9, jax.random.key(0)
MODELS = {  # and how far back the model reaches
    "gpt": (GPT(11, 12, 2, 2, 8), None),
    "gpt, sinusoidal, post": (GPT(11, 12, 2, 2, 8, position="sinusoidal", order="post"), None),
    "gpt, alibi": (GPT(11, 12, 2, 2, 8, position="alibi", num_kv_heads=1), None),
    "gpt, rotary, window": (
        GPT(11, 12, 2, 2, 8, position="rotary", window=3, feedforward=swiglu, norm=rms_norm),
        2 * 2 + 1,  # two layers, each two tokens back
    ),
    "lstm": (TokenModel(11, 8, Recurrents(lstm, (8, 8))), None),
    "lru": (TokenModel(11, 8, Layers(functools.partial(LRU, 8), 2)), None),
    "mamba": (TokenModel(11, 8, Layers(functools.partial(Mamba, 4), 2)), None),
    "tcn": (TokenModel(11, 8, TCN((16, 16), 2)), 1 + 2 * 3),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_position_sees_itself_and_what_came_before(name):
    model, window = MODELS[name]
    token = jnp.arange(LENGTH)[None]
    shapes = jax.eval_shape(model.init, KEY, token)
    keys = iter(jax.random.split(KEY, 200))
    variables = jax.tree.map(lambda leaf: 0.3 * jax.random.normal(next(keys), leaf.shape), shapes)

    def logits(moved):
        """What the model says, its tokens' embeddings moved; the head that shares the table stays."""

        def move(call, arguments, options, context):
            out = call(*arguments, **options)
            is_embedding = isinstance(context.module, nn.Embed) and context.method_name == "__call__"
            return out + moved[None] if is_embedding else out

        with nn.intercept_methods(move):
            return model.apply(variables, token)[0].sum(-1)

    reached = jax.jit(jax.jacobian(logits))(jnp.zeros((LENGTH, 8)))
    np.testing.assert_array_equal(np.abs(reached).max(-1) > 0, np.asarray(causal(LENGTH, window)))
