"""An encoder-decoder is PyTorch's transformer with the same weights, writes without looking ahead, and remembers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn

from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.transformer import rms_norm, swiglu

KEY, RNG = jax.random.key(0), np.random.default_rng(0)
SOURCE, TARGET = RNG.integers(0, 11, (2, 6)), RNG.integers(0, 11, (2, 8))
SOURCE_MASK = np.arange(6)[None] < np.array([[4], [6]])
MODELS = {
    "sinusoidal, post": EncoderDecoder(11, 2, 2, 8, order="post", num_decoder_layers=1),
    "relative, pre": EncoderDecoder(
        11, 1, 2, 8, position="relative", feedforward=swiglu, norm=rms_norm, head="own", num_buckets=8, max_distance=6
    ),
}
NEAR = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(params=MODELS, scope="module")
def fitted(request):
    model = MODELS[request.param]
    shapes = jax.eval_shape(model.init, KEY, SOURCE, TARGET)
    keys = iter(jax.random.split(KEY, 200))
    variables = jax.tree.map(lambda leaf: 0.3 * jax.random.normal(next(keys), leaf.shape), shapes)
    apply = jax.jit(functools.partial(model.apply, variables), static_argnames="method")
    return model, variables, apply, apply(SOURCE, TARGET, source_mask=SOURCE_MASK)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")  # a faster path, which other activations have
def test_layers_are_pytorch_s():
    """The original order of norms, without embeddings: what the layers make of them, by hooks of both."""
    model = MODELS["sinusoidal, post"]
    shapes = jax.eval_shape(model.init, KEY, SOURCE, TARGET)["params"]
    keys = iter(jax.random.split(KEY, 200))
    params = jax.tree.map(lambda leaf: 0.3 * jax.random.normal(next(keys), leaf.shape), shapes)
    gelu = functools.partial(torch.nn.functional.gelu, approximate="tanh")
    peer = torch.nn.Transformer(8, 2, 2, 1, 32, 0.0, gelu, batch_first=True)
    peer.encoder.norm = peer.decoder.norm = None  # the original has none after the last layer

    def copy(theirs, value):
        theirs.data = torch.tensor(np.array(value))

    for name, layers in (("encoder", peer.encoder.layers), ("decoder", peer.decoder.layers)):
        for i, layer in enumerate(layers):
            ours = params[f"{name}_{i}"]
            attentions = [layer.self_attn] + ([layer.multihead_attn] if name == "decoder" else [])
            for j, attention in enumerate(attentions):
                its = ours[f"MultiHeadAttention_{j}"]
                parts = ("query", "key", "value")
                copy(attention.in_proj_weight, np.concatenate([its[part]["kernel"].T for part in parts]))
                copy(attention.in_proj_bias, np.concatenate([its[part]["bias"] for part in parts]))
                copy(attention.out_proj.weight, its["out"]["kernel"].T)
                copy(attention.out_proj.bias, its["out"]["bias"])
            norms = [layer.norm1, layer.norm2] + ([layer.norm3] if name == "decoder" else [])
            for j, norm in enumerate(norms):
                copy(norm.weight, ours[f"LayerNorm_{j}"]["scale"])
                copy(norm.bias, ours[f"LayerNorm_{j}"]["bias"])
            for j, linear in enumerate((layer.linear1, layer.linear2)):
                copy(linear.weight, ours["MLP_0"][f"Dense_{j}"]["kernel"].T)
                copy(linear.bias, ours["MLP_0"][f"Dense_{j}"]["bias"])
    embed = functools.partial(model.apply, {"params": params}, method="_embedded")
    embedded = [torch.tensor(np.array(embed(token, jnp.arange(token.shape[1])[None]))) for token in (SOURCE, TARGET)]
    padding = torch.tensor(~SOURCE_MASK)
    ahead = torch.ones(8, 8, dtype=bool).triu(1)
    h = peer.eval()(*embedded, tgt_mask=ahead, src_key_padding_mask=padding, memory_key_padding_mask=padding)
    want = h.detach().numpy() @ params["tokens"]["embedding"].T
    got = model.apply({"params": params}, SOURCE, TARGET, source_mask=SOURCE_MASK)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_it_looks_only_back_and_at_what_is_real(fitted):
    """By the gradient of each position's logits in what was read and in the tokens so far, as embedded."""
    model, variables, apply, _ = fitted
    memory = apply(SOURCE, mask=SOURCE_MASK, method="encode")
    told = jnp.zeros((8, 8))

    def logits(memory, moved):
        def move(call, arguments, options, context):
            out = call(*arguments, **options)
            return out + moved[None] if context.method_name == "_embedded" else out

        with nn.intercept_methods(move):
            return model.apply(variables, TARGET, memory, memory_mask=SOURCE_MASK, method="decode")[0].sum(-1)

    of_memory, of_tokens = jax.jit(jax.jacobian(logits, (0, 1)))(memory, told)
    reached = np.abs(of_memory[:, 0]).max(-1) > 0
    np.testing.assert_array_equal(reached, np.broadcast_to(SOURCE_MASK[0], (8, 6)))
    np.testing.assert_array_equal(np.abs(of_tokens).max(-1) > 0, np.tril(np.ones((8, 8), bool)))


def test_a_cache_changes_nothing_with_ragged_prompts(fitted):
    """Prompts of 3 and 1 tokens, padded left; what was read is given once."""
    model, _, apply, want = fitted
    memory = apply(SOURCE, mask=SOURCE_MASK, method="encode")
    mask = np.array([[True, True, True], [False, False, True]])
    prompt = np.where(mask, np.stack([TARGET[0, :3], TARGET[1, [0, 0, 0]]]), 7)
    given = {"memory_mask": SOURCE_MASK, "mask": mask, "cache": model.empty_cache(2, 8, 6), "method": "decode"}
    logits, cache = apply(prompt, memory, **given)
    np.testing.assert_allclose(logits[0], want[0, :3], **NEAR)
    np.testing.assert_allclose(logits[1, 2], want[1, 0], **NEAR)
    rows = np.arange(2)
    for _ in range(4):
        place = np.asarray(cache.length)
        logits, cache = apply(TARGET[rows, place][:, None], cache=cache, method="decode")
        np.testing.assert_allclose(logits[:, 0], want[rows, place], **NEAR)
