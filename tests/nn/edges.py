"""Networks' parts at the edges: large offsets, extreme scales, constants, nothing to see, long texts."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from adl.nn import (
    attention,
    convolution,
    dit,
    embed,
    encoder_decoder,
    experts,
    factored,
    geometry,
    lenet,
    masked,
    mlp,
    pooling,
    recurrence,
    recurrent,
    residual,
    resnet,
    sequence_classifier,
    spectral,
    tcn,
    transformer,
    transposed,
    unet,
    vision_transformer,
)
from tests.edge import Edge

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(4, 8))
PICTURE = RNG.normal(size=(2, 3, 3, 8))
PAIRS = functools.partial(resnet.group_norm, num_groups=2)
GEOMETRY = geometry.Geometry.of((3, 3), (3, 3), 1, "SAME", 1, 1)
NEAR = {"rtol": 1e-3, "atol": 1e-4}
MOVED = {"atol": 5e-3, "slope_rtol": 1e-2}  # a mean at 1e4 is rounded by up to 5e-4


def of(make, **options):
    """`module(*x)`, its parameters at random, all of the type of what it is given."""

    def call(*x):
        module = make(dtype=x[0].dtype)
        shapes = jax.eval_shape(module.init, jax.random.key(0), *x)
        rng = np.random.default_rng(1)
        draw = lambda leaf: jnp.asarray(0.5 * rng.normal(size=leaf.shape).astype("f"), x[0].dtype)  # noqa: E731
        moving = [name for name in shapes if name != "params"]
        out = module.apply({**jax.tree.map(draw, dict(shapes))}, *x, mutable=moving, **options)[0]
        return out[0] if isinstance(out, tuple) else out

    return call


def scales(x, *offsets):
    """The same at extreme scales, of zeros, of a constant, and moved away."""
    edges = {"as it is": (x,), "1e-15": (1e-15 * x,), "1e15": (1e15 * x,), "zeros": (0 * x,)}
    return edges | {"constant": (0 * x + 3.0,)} | {f"at {offset:g}": (x + offset,) for offset in offsets}


def without(edges, *names):
    return {name: edge for name, edge in edges.items() if name not in names}


def seen(x, mask):
    """`MultiHeadAttention` in float64 or less."""
    return of(lambda dtype: attention.MultiHeadAttention(2, dtype), mask=mask)(x)


def seen_want(x, mask):
    """The same in NumPy, with the same parameters."""
    shapes = jax.eval_shape(attention.MultiHeadAttention(2).init, jax.random.key(0), x)["params"]
    rng = np.random.default_rng(1)
    p = jax.tree.map(lambda leaf: 0.5 * rng.normal(size=leaf.shape).astype("f").astype(np.float64), dict(shapes))
    (size, length, dim), heads = x.shape, 2

    def part(name):
        return (x @ p[name]["kernel"] + p[name]["bias"]).reshape(size, length, heads, -1).swapaxes(1, 2)

    scores = part("query") @ part("key").swapaxes(-1, -2) / math.sqrt(dim // heads)
    weights = shares_want(scores, np.broadcast_to(mask, scores.shape))
    out = (weights @ part("value")).swapaxes(1, 2).reshape(size, length, -1)
    return out @ p["out"]["kernel"] + p["out"]["bias"]


def shares_want(scores, mask):
    scores = np.where(mask, scores, -np.inf)
    top = scores.max(-1, keepdims=True)
    terms = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = terms.sum(-1, keepdims=True)
    return terms / np.where(total == 0, 1, total)


def turned_want(x, frequency):
    return np.multiply.outer(x, frequency)


def sines(x, frequency):
    angle = embed.turned(x, frequency)
    return jnp.cos(angle), jnp.sin(angle)


def rotary_want(x, position, slowest=1e-4):
    half = x.shape[-1] // 2
    angle = np.multiply.outer(position, slowest ** (np.arange(half) / half))
    first, second = x[..., :half], x[..., half:]
    turned = (first * np.cos(angle) - second * np.sin(angle), second * np.cos(angle) + first * np.sin(angle))
    return np.concatenate(turned, -1)


def scan_want(a, b, start):
    out, h = [], start
    for t in range(a.shape[1]):
        h = a[:, t] * h + b[:, t]
        out.append(h)
    return np.stack(out, 1)


def bucket_want(behind):
    exact, number = 16, 32
    far = exact + np.floor(np.log(np.maximum(behind, 1) / exact) / np.log(128 / exact) * (number - exact) + 1e-9)
    return np.where(behind < exact, np.maximum(behind, 0), np.minimum(far, number - 1)).astype(np.int32)


def spectral_norm(scale):
    """What a normalised kernel of such entries makes of a vector; the kernel's own, in float64 as its iteration."""

    def call(x):
        kernel = jnp.asarray(RNG_KERNEL, x.dtype) * jnp.asarray(scale, x.dtype)
        u = jnp.asarray(RNG_U, x.dtype)[None]
        moving = {"layer_instance/kernel/u": u, "layer_instance/kernel/sigma": jnp.ones((), x.dtype)}
        variables = {"params": {"layer": {"kernel": kernel}}, "spectral": {"SpectralNorm_0": moving}}
        layer = nn.Dense(8, use_bias=False, dtype=x.dtype)
        module = spectral.SpectralNorm(layer)
        shapes = jax.eval_shape(module.init, jax.random.key(0), x)
        leaves = jax.tree.leaves(shapes["spectral"])
        filled = [u if leaf.ndim else jnp.ones((), x.dtype) for leaf in leaves]
        variables["spectral"] = jax.tree.unflatten(jax.tree.structure(shapes["spectral"]), filled)
        variables["params"] = jax.tree.map(lambda _: kernel, shapes["params"])
        return module.apply(variables, x)

    return call


RNG_KERNEL, RNG_U = RNG.normal(size=(8, 8)).astype("f"), RNG.normal(size=8).astype("f")
MASKS = {
    "all": np.ones((4, 4), bool),
    "causal": np.tril(np.ones((4, 4), bool)),
    "a row that sees nothing": np.arange(4)[:, None] * np.ones(4, int) != 2,
    "nothing": np.zeros((4, 4), bool),
}
INF = np.inf
FREQUENCY = np.geomspace(1, 1e-4, 4)
LONG = RNG.normal(size=(2, 2000, 2))

EDGES = {
    "attention.shares": Edge(
        attention.shares,
        {
            "plain": (NOISE, NOISE > -9),
            "large": (1e4 + NOISE, NOISE > 0),
            "1e15": (1e15 * NOISE, NOISE > -9),
            "none is seen": (NOISE, NOISE > 9),
            "nan is not seen": (np.where(NOISE > 0, NOISE, np.nan), NOISE > 0),
            "no score": (np.full_like(NOISE, -INF), NOISE > -9),
            "some of no score": (np.where(NOISE > 0, NOISE, -INF), NOISE > -9),
        },
        shares_want,
        slopes=(),
        atol=1e-6,
    ),
    "attention.shares, slopes": Edge(
        attention.shares,
        {name: (NOISE[0], NOISE[0] > least) for name, least in {"all": -9.0, "some": 0.0, "none": 9.0}.items()},
        shares_want,
        atol=1e-6,
    ),
    "attention.MultiHeadAttention": Edge(
        seen,
        {name: (NOISE.reshape(1, 4, 8), mask) for name, mask in MASKS.items()},
        seen_want,
        **NEAR,
    ),
    "embed.turned": Edge(
        functools.partial(sines, frequency=FREQUENCY),
        {f"{x:g}": (np.float32(x),) for x in (0, 0.3, -7.7, 1e3 + 0.5, 1e5, -1e6, 2.0**24, 1.1e9)}
        | {"inf": (np.float32(INF),), "2^31": (np.float32(2.0**31),)},
        lambda x: (np.cos(turned_want(x, FREQUENCY)), np.sin(turned_want(x, FREQUENCY))),
        slopes=(),
        blank=("inf", "2^31"),
        atol=2e-6,
    ),
    "embed.turned, integers": Edge(
        functools.partial(sines, frequency=FREQUENCY),
        {f"{x}": (np.int32(x),) for x in (0, 7, 131_071, 10**7 + 1, 2**31 - 1, -5)},
        lambda x: (np.cos(turned_want(x, FREQUENCY)), np.sin(turned_want(x, FREQUENCY))),
        slopes=(),
        atol=2e-6,
    ),
    "embed.sinusoidal": Edge(
        functools.partial(embed.sinusoidal, dim=8),
        {f"{x:g}": (np.float32(x),) for x in (0, 0.25, 1e3 + 0.25, -3e3)},
        lambda x: np.concatenate([f(turned_want(x, np.geomspace(1, 1e-4, 4))) for f in (np.cos, np.sin)], -1),
        atol=1e-5,
    ),
    "embed.rotary": Edge(
        embed.rotary,
        {
            f"{scale:g} at {start}": (scale * NOISE, start + np.arange(4))
            for scale, start in ((1, 0), (1, 130_000), (1e-15, 7), (1e15, 10**6))
        },
        rotary_want,
        slope_rtol=1e-5,
    ),
    "embed.alibi": Edge(
        functools.partial(embed.alibi, num_heads=3),
        {f"at {start}": (start + np.arange(4), np.arange(5)) for start in (0, 10**6)},
        lambda query, key: -np.array([2.0**-4, 2.0**-8, 2.0**-2])[:, None, None] * (query[:, None] - key),
        slopes=(),
    ),
    "embed.Conditioner": Edge(
        lambda noise: of(lambda dtype: embed.Conditioner(3, 8, dtype))(noise, jnp.arange(2)),
        {f"{x:g}": (np.array([x, 0.3]),) for x in (0, 1e-15, 1e3)},
        atol=1e-3,
        slopes=(),
    ),
    "encoder_decoder.RelativeBias.bucket": Edge(
        encoder_decoder.RelativeBias(1).bucket,
        {f"from {start}": (start + np.arange(40),) for start in (-20, 0, 20, 100, 10**6)},
        bucket_want,
        slopes=(),
    ),
    "encoder_decoder.RelativeBias": Edge(
        lambda query, key: of(lambda dtype: encoder_decoder.RelativeBias(2))(query, key),
        {f"from {start}": (start + np.arange(4), np.arange(4)) for start in (-20, 0, 10**6)},
        slopes=(),
    ),
    "convolution.convolve": Edge(
        lambda x, kernel: convolution.convolve(x, kernel),
        {
            f"{a:g} by {b:g}": (a * PICTURE[..., :2], b * PICTURE[0].reshape(3, 3, 2, 4))
            for a, b in ((1, 1), (1e-15, 1e-15), (1e15, 1e15), (0, 1), (1e15, 0))
        },
        slopes=(0, 1),
        **NEAR,
    ),
    "convolution.Conv": Edge(
        of(lambda dtype: convolution.Conv(3, (3, 3), dtype=dtype)), scales(PICTURE[..., :2]), **NEAR
    ),
    "convolution.adjoint": Edge(
        lambda y, kernel: convolution.adjoint(y, kernel, GEOMETRY),
        {
            f"{a:g} by {b:g}": (a * PICTURE[..., :4], b * PICTURE[0].reshape(3, 3, 2, 4))
            for a, b in ((1, 1), (1e-15, 1e15), (0, 1), (1e15, 1))
        },
        slopes=(0, 1),
        **NEAR,
    ),
    "transposed.convolve_transposed": Edge(
        lambda y, kernel: transposed.convolve_transposed(y, kernel, strides=2),
        {
            f"{a:g} by {b:g}": (a * PICTURE[..., :4], b * PICTURE[0].reshape(3, 3, 2, 4))
            for a, b in ((1, 1), (1e-15, 1e15), (0, 1), (1e15, 1))
        },
        slopes=(0, 1),
        **NEAR,
    ),
    "transposed.ConvTranspose": Edge(
        of(lambda dtype: transposed.ConvTranspose(3, (3, 3), 2, dtype=dtype)), scales(PICTURE[..., :2]), **NEAR
    ),
    "factored.SeparableConv": Edge(
        of(lambda dtype: factored.SeparableConv(3, (3, 3), dtype=dtype)), scales(PICTURE[..., :2]), **NEAR
    ),
    "factored.SpaceTimeConv": Edge(
        lambda x: of(lambda dtype: factored.SpaceTimeConv(3, dtype=dtype))(x[None])[0],
        without(scales(PICTURE[..., :2]), "1e15"),
        **NEAR,
    ),
    "lenet.scaled_tanh": Edge(lenet.scaled_tanh, scales(NOISE, 1e3), **NEAR),
    "lenet.Subsampling": Edge(
        of(lambda dtype: lenet.Subsampling(dtype=dtype)), scales(PICTURE.reshape(1, 6, 4, 6)), **NEAR
    ),
    "lenet.PartialConv": Edge(
        of(lambda dtype: lenet.PartialConv(((0,), (0, 1)), 2, dtype)), scales(PICTURE[..., :2]), **NEAR
    ),
    "pooling.max_pool": Edge(lambda x: pooling.max_pool(x, 2, 1, padding=1), scales(PICTURE, 1e3), **NEAR),
    "pooling.mean_pool": Edge(lambda x: pooling.mean_pool(x, 2), scales(PICTURE, 1e3), **NEAR),
    "pooling.adaptive_mean": Edge(lambda x: pooling.adaptive_mean(x, (2, 4)), scales(PICTURE, 1e3), **NEAR),
    "mlp.MLP": Edge(of(lambda dtype: mlp.MLP((5, 3), nn.gelu, dtype=dtype)), scales(NOISE, 1e3), **NEAR),
    "mlp.MLP, normalised": Edge(
        of(lambda dtype: mlp.MLP((5, 3), norm=resnet.BatchNorm, dtype=dtype)), scales(NOISE, 1e3), **NEAR | MOVED
    ),
    "masked.MaskedMLP": Edge(
        of(lambda dtype: masked.MaskedMLP((8,), 2, nn.gelu, True, dtype)), scales(NOISE, 1e3), **NEAR
    ),
    "mlp.GatedMLP": Edge(of(lambda dtype: mlp.GatedMLP(5, 3, dtype=dtype)), scales(NOISE, 1e3), **NEAR),
    "mlp.TimedMLP": Edge(
        lambda x: of(lambda dtype: mlp.TimedMLP((5,), dtype=dtype))(x, jnp.arange(len(x)) / 4),
        scales(NOISE, 1e3),
        **NEAR,
    ),
    "mlp.flat": Edge(mlp.flat, scales(NOISE, 1e4)),
    "experts.Experts": Edge(
        of(lambda dtype: experts.Experts(3, top_k=2, dtype=dtype)), without(scales(NOISE), "1e15"), **NEAR
    ),
    "experts.Experts, full": Edge(
        of(lambda dtype: experts.Experts(3, top_k=2, capacity=0.5, dtype=dtype)),
        without(scales(NOISE), "1e15"),
        **NEAR,
    ),
    "residual.UnbiasedBatchNorm": Edge(
        of(lambda dtype: residual.UnbiasedBatchNorm(dtype=dtype)), scales(NOISE, 1e3, 1e4), **MOVED
    ),
    "vision_transformer.between": Edge(
        lambda x: vision_transformer.between(x, (2, 5)), scales(PICTURE[0], 1e3), **NEAR
    ),
    "resnet.BatchNorm": Edge(of(lambda dtype: resnet.BatchNorm(dtype=dtype)), scales(NOISE, 1e3, 1e4), **MOVED),
    "resnet.ResidualBlock": Edge(
        of(lambda dtype: resnet.ResidualBlock(8, 1, resnet.group_norm, dtype)), scales(PICTURE, 1e3), **NEAR | MOVED
    ),
    "unet.ConditionalBlock": Edge(
        lambda x: of(lambda dtype: unet.ConditionalBlock(8, PAIRS, 0.0, dtype))(x, jnp.ones_like(x[:, 0, 0])),
        scales(PICTURE, 1e3),
        **NEAR | MOVED,
    ),
    "unet.SelfAttention": Edge(
        of(lambda dtype: unet.SelfAttention(PAIRS, dtype)), scales(PICTURE, 1e3), **NEAR | MOVED
    ),
    "unet.WordAttention": Edge(
        lambda x: of(lambda dtype: unet.WordAttention(PAIRS, dtype, 2))(
            x, jnp.asarray(PICTURE[:, 0], x.dtype), jnp.ones(x.shape[:2]) > 0
        ),
        scales(PICTURE, 1e3),
        **NEAR | MOVED,
    ),
    "dit.AdaptiveBlock": Edge(
        lambda x: of(lambda dtype: dit.AdaptiveBlock(2, dtype=dtype))(x[None], jnp.ones_like(x[:1]))[0],
        scales(NOISE, 1e3),
        **NEAR | MOVED,
    ),
    "transformer.Block": Edge(
        lambda x: of(lambda dtype: transformer.Block(2, dtype=dtype))(x[None])[0], scales(NOISE, 1e3), **NEAR | MOVED
    ),
    "transformer.Block, root mean square": Edge(
        lambda x: of(lambda dtype: transformer.Block(2, dtype=dtype, norm=transformer.rms_norm))(x[None])[0],
        scales(NOISE, 1e3),
        **NEAR | MOVED,
    ),
    "recurrence.linear_scan": Edge(
        recurrence.linear_scan,
        {
            "fades": (0 * LONG + 0.9, LONG, LONG[:, 0]),
            "at 1e4": (0 * LONG + 0.9, LONG + 1e4, LONG[:, 0]),
            "holds": (0 * LONG + 1, LONG, LONG[:, 0]),
            "forgets": (0 * LONG, LONG, LONG[:, 0]),
            "turns": (0 * LONG - 1, LONG, LONG[:, 0]),
            "nothing": (0 * LONG + 0.5, 0 * LONG, 1e15 * LONG[:, 0]),
        },
        scan_want,
        slopes=(),
        atol=1e-3,
    ),
    "recurrence.in_turn": Edge(
        recurrence.in_turn,
        {str(a): (0 * LONG[:, :50] + a, LONG[:, :50], LONG[:, 0]) for a in (0.0, 0.9, 1.0, -1.0)},
        slopes=(0, 1, 2),
        atol=1e-4,
    ),
    "recurrence.by_association": Edge(
        recurrence.by_association,
        {str(a): (0 * LONG[:, :50] + a, LONG[:, :50], LONG[:, 0]) for a in (0.0, 0.9, 1.0, -1.0)},
        slopes=(0, 1, 2),
        atol=1e-4,
    ),
    "recurrence.remembered": Edge(
        lambda recent, x, length: recurrence.remembered(recent, x, length),
        {
            str(length): (NOISE[:2, :6].reshape(2, 2, 3), LONG[:, :5].repeat(2, -1)[..., :3], np.array([length, 5]))
            for length in (0, 1, 5)
        },
        slopes=(0, 1),
    ),
    "recurrent.unrolled": Edge(
        lambda x, state: recurrent.unrolled(lambda x, h: (jnp.tanh(x + h), 0.5 * h + x), x, state, 60)[0],
        {f"{scale:g}": (scale * NOISE, NOISE) for scale in (0, 1e-15, 1, 1e15)},
        slopes=(0, 1),
        atol=1e-5,
    ),
    "recurrent.Recurrent": Edge(
        lambda x: of(lambda dtype: recurrent.Recurrent(recurrent.gru, 3))(x[None])[0],
        without(scales(NOISE), "1e15"),
        **NEAR,
    ),
    "spectral.SpectralNorm": Edge(spectral_norm(1.0), scales(NOISE), **NEAR),
    "spectral.SpectralNorm, of small kernels": Edge(spectral_norm(1e-15), scales(NOISE), **NEAR),
    "spectral.SpectralNorm, of large kernels": Edge(spectral_norm(1e15), scales(NOISE), **NEAR),
    "spectral.SpectralNorm, of no kernel": Edge(spectral_norm(0.0), scales(NOISE), **NEAR),
    **{
        f"sequence_classifier.over_time, {name}": Edge(
            lambda x, mask, name=name: sequence_classifier.over_time(x[None], mask[None], name)[0],
            {edge: (*x, mask) for edge, x in scales(NOISE, 1e4).items() for mask in [np.arange(4) < 3]}
            | {"nothing real": (NOISE, np.zeros(4, bool))},
            **NEAR,
        )
        for name in ("last", "mean", "max")
    },
    "tcn.TCN": Edge(
        lambda x: of(lambda dtype: tcn.TCN((3,), 2, dtype=dtype))(x[None])[0], scales(NOISE, 1e3), **NEAR | MOVED
    ),
}

NONE = {
    "a network's own, with a product added to its matrices: tests/nn/test_lora.py": """
        lora.WithAdapters.adapting lora.WithAdapters.apply lora.WithAdapters.clone lora.WithAdapters.empty_cache
        lora.WithAdapters.init lora.WithAdapters.max_length lora.WithAdapters.merged lora.every_matrix
        lora.unadapted picture_reader.Captioner.empty_cache""",
    "no numbers are computed: objects, shapes and places are made": """
        attention.KeyValue.empty attention.causal attention.visible attention.together attention.Places.of
        attention.KeyValue.write geometry.Geometry.of geometry.Geometry.output geometry.Geometry.input
        geometry.Geometry.kernel geometry.Geometry.sees geometry.Geometry.places geometry.Geometry.is_small
        geometry.each densenet.DenseNet.imagenet densenet.DenseNet.cifar
        factored.middle_channels receptive.receptive_field resnet.receptive_fields resnet.ResNet.wide
        masked.hidden_degrees resnet.CifarResNet.of_depth
        encoder_decoder.DecoderCache.slots encoder_decoder.EncoderDecoder.empty_cache
        encoder_decoder.EncoderDecoder.setup encoder.BERT.setup
        sequence_classifier.SequenceClassifier.setup recurrence.LRU.empty recurrence.Selective.empty
        recurrence.Mamba.empty recurrence.Layers.empty recurrent.Recurrent.empty recurrent.Recurrents.empty
        tcn.TCN.empty token.TokenModel.empty_cache transformer.Cache.slots transformer.GPT.empty_cache
        transformer.Blocks.empty
        transformer.gelu_mlp transformer.swiglu unet.widths dit.grid_places vision_transformer.VisionTransformer.setup
        unet.space_to_depth unet.depth_to_space unet.whole_patches""",
    "files and words: test_pretrained, test_fields": """
        tensors.of tensors.is_source tensors.is_copy tensors.From.read tensors.From.written tensors.of_linear
        tensors.of_matrix tensors.of_conv tensors.of_kernel tensors.of_norm fields.told fields.activation
        fields.epsilon fields.flag fields.positive_number fields.whole_number
        llama.llama llama.llama_sources llama.frequencies
        pretrained.load pretrained.load_variables pretrained.checkpoint_of
        vision_architectures.class_names""",
    "nan by intent, beyond a cache's slots: test_transformer": "attention.Places.known",
    "drawn at random: test_dropout": "dropout.Dropout",
    "made of the blocks above, and held to Hugging Face's, PyTorch's or others in tests of their own": """
        alexnet.AlexNet densenet.DenseNet lenet.LeNet5 resnet.CifarResNet vgg.VGG
        encoder.BERT encoder.BERT.encode encoder.BERT.fill encoder.BERT.pool encoder.WordHead
        encoder_decoder.EncoderDecoder encoder_decoder.EncoderDecoder.encode encoder_decoder.EncoderDecoder.decode
        transformer.Blocks
        recurrence.LRU recurrence.Selective recurrence.Mamba recurrence.Layers recurrent.Recurrents resnet.ResNet
        token.TokenModel transformer.GPT unet.UNet linknet.LinkNet residual.OriginalResNet residual.PostResidualBlock
        picture_reader.Captioner picture_reader.Captioner.decode picture_reader.Captioner.encode
        picture_reader.Captioner.looks picture_reader.PictureGPT picture_reader.PictureTokens
        dit.DiT residual.ConvNorm convnext.ConvNeXt convnext.ConvNeXtBlock vision_transformer.VisionTransformer
        vision_transformer.VisionTransformer.encode vision_transformer.VisionTransformer.pool
        sequence_classifier.SequenceClassifier sequence_classifier.SequenceClassifier.encode
        captions.TextConditioner embed.told_noise""",
}
