"""Published networks that see: the module that each is, and the tensor that each parameter is read from.

`VISION` has them by the `model_type` of config.json: ResNet, ConvNeXt and ViT, as Hugging Face's libraries write them;
`adl.vision.published` reads their folders. What only training drops (dropout, skipped blocks) is 0 in the models here.
"""

import functools

import jax
import jax.numpy as jnp

from adl.core import BadInput, PyTree
from adl.nn import convnext, residual, vision_transformer
from adl.nn.fields import Config, activation, epsilon, flag, told
from adl.nn.tensors import Architecture, From, Tensors, of_conv, of_kernel, of_linear, of_norm

LARGEST = 2**15  # side of a picture or patch, in pixels
A_PICTURE = 224  # side of the pictures by which parameters are made that do not depend on it


def class_names(config: Config) -> list[str]:
    """What a configuration calls its K classes, `id2label`; their numbers, where it only counts them.

    Raises:
      BadInput: if it does not name the classes 0 ... K - 1, or does not count them as it names them.
    """
    number = config.get("num_labels")
    if number is not None and (type(number) is not int or not 0 <= number <= 10**6):
        raise BadInput(f"num_labels {told(number)}: it must be a whole number")
    names = config.get("id2label")
    if names is None:
        return [f"LABEL_{i}" for i in range(2 if number is None else number)]  # two, as there
    if not isinstance(names, dict) or {*map(str, names)} != {*map(str, range(len(names)))}:
        raise BadInput(f"id2label {told(names)}: it must name the classes 0, 1, 2 ... in order")
    if number not in (None, len(names)):
        raise BadInput(f"num_labels {number}: id2label names {len(names)}")
    by_number = {str(key): name for key, name in names.items()}
    return [str(by_number[str(i)]) for i in range(len(names))]


def _head(config: Config, tensors: Tensors, name: str) -> int | None:
    """K of a head, where the checkpoint has one."""
    return len(class_names(config)) if f"{name}.weight" in tensors or f"{name}.bias" in tensors else None


def _sides(config: Config, field: str, default: int) -> tuple[int, int]:
    """Height and width, of one number or two."""
    found = config.get(field, default)
    both = [found, found] if type(found) is int else found
    if not isinstance(both, list | tuple) or not all(type(n) is int and 1 <= n <= LARGEST for n in both):
        raise BadInput(f"{field} {told(found)}: it must be one or two whole numbers, 1 to {LARGEST}")
    if len(both) != 2:
        raise BadInput(f"{field} {told(found)}: it must be one or two whole numbers")
    return both[0], both[1]


def _picture(config: Config) -> tuple[jax.ShapeDtypeStruct]:
    sides = _sides(config, "image_size", A_PICTURE) if config["model_type"] == "vit" else (A_PICTURE, A_PICTURE)
    return (jax.ShapeDtypeStruct((1, *sides, config["num_channels"]), jnp.float32),)


def _resnet(config: Config, tensors: Tensors) -> residual.OriginalResNet:
    return residual.OriginalResNet(
        _head(config, tensors, "classifier.1"),
        tuple(config["hidden_sizes"]),
        tuple(config["depths"]),
        _kind(config),
        config["embedding_size"],
        2 if flag(config, "downsample_in_first_stage", False) else 1,
        1 if flag(config, "downsample_in_bottleneck", False) else 3,
        _widening(config),
    )


def _kind(config: Config) -> str:
    kind = config.get("layer_type", "bottleneck")
    if kind not in ("basic", "bottleneck"):
        raise BadInput(f"layer_type {told(kind)}: it must be basic or bottleneck")
    return kind


def _widening(config: Config) -> int:
    """1 where it is not there; null is no way to say so, in a field that no library writes."""
    number = config.get("widening", 1)
    if type(number) is not int or number < 1:
        raise BadInput(f"widening {told(number)}: it must be a whole number, 1 or more")
    return number


def _resnet_parts(config: Config) -> dict[str, dict[str, str]]:
    """The name there of each convolution with its normalisation, by the names here: {"stem": {"": ...}, ...}."""
    parts = {"stem": {"": "embedder.embedder"}}
    widths = [config["embedding_size"], *config["hidden_sizes"]]
    for stage, number in enumerate(config["depths"]):
        for i in range(number):
            name = f"encoder.stages.{stage}.layers.{i}"
            own = {f"conv{j}": f"{name}.layer.{j}" for j in range(2 + (_kind(config) == "bottleneck"))}
            is_strided = stage or flag(config, "downsample_in_first_stage", False)
            if i == 0 and (is_strided or widths[stage] != widths[stage + 1]):
                own["shortcut"] = f"{name}.shortcut"
            parts[f"stage{stage}_{i}"] = own
    return parts


def _resnet_sources(config: Config) -> PyTree:
    def unit(name: str) -> PyTree:
        return {"conv": of_kernel(f"{name}.convolution"), "norm": of_norm(f"{name}.normalization")}

    return {**_each_part(config, unit), "head": of_linear("classifier.1")}


def _resnet_extras(config: Config) -> PyTree:
    def unit(name: str) -> PyTree:
        ends = {"mean": "running_mean", "var": "running_var"}
        return {"norm": {ours: From(f"{name}.normalization.{theirs}") for ours, theirs in ends.items()}}

    return {"batch_stats": _each_part(config, unit)}


def _each_part(config: Config, unit) -> PyTree:
    parts = _resnet_parts(config)
    made = {where: {own: unit(name) for own, name in units.items()} for where, units in parts.items()}
    return {**made, "stem": made["stem"][""]}


def _convnext(config: Config, tensors: Tensors) -> convnext.ConvNeXt:
    if (number := config.get("num_stages", len(config["depths"]))) != len(config["depths"]):
        raise BadInput(f"num_stages {told(number)}: depths has {len(config['depths'])}")
    return convnext.ConvNeXt(
        _head(config, tensors, "classifier"),
        tuple(config["hidden_sizes"]),
        tuple(config["depths"]),
        _sides(config, "patch_size", 4),
        _layer_scale(config),
        activation=activation(config, "hidden_act", "gelu"),
        last_norm=functools.partial(convnext.layer_norm, epsilon=epsilon(config, "layer_norm_eps", 1e-12)),
    )


def _layer_scale(config: Config) -> float | None:
    found = config.get("layer_scale_init_value", 1e-6)
    if type(found) not in (int, float) or found != found:
        raise BadInput(f"layer_scale_init_value {told(found)}: it must be a number")
    return float(found) if found > 0 else None


def _convnext_sources(config: Config) -> PyTree:
    def block(name: str) -> PyTree:
        parts = {"depthwise": of_conv(f"{name}.dwconv"), "norm": of_norm(f"{name}.layernorm")}
        parts |= {"hidden": of_linear(f"{name}.pwconv1"), "out": of_linear(f"{name}.pwconv2")}
        return parts | ({"scale": From(f"{name}.layer_scale_parameter")} if _layer_scale(config) else {})

    found = {"stem": of_conv("embeddings.patch_embeddings"), "stem_norm": of_norm("embeddings.layernorm")}
    for stage, number in enumerate(config["depths"]):
        name = f"encoder.stages.{stage}"
        if stage:
            found[f"norm{stage}"] = of_norm(f"{name}.downsampling_layer.0")
            found[f"down{stage}"] = of_conv(f"{name}.downsampling_layer.1")
        found |= {f"stage{stage}_{i}": block(f"{name}.layers.{i}") for i in range(number)}
    return found | {"last_norm": of_norm("layernorm"), "head": of_linear("classifier")}


def _vit(config: Config, tensors: Tensors) -> vision_transformer.VisionTransformer:
    width, number = config["hidden_size"], config["num_attention_heads"]
    if config.get("head_dim", width // number) != width // number:
        raise BadInput(f"head_dim {told(config['head_dim'])}: this variant of vit is not computed here")
    size, patch = _sides(config, "image_size", 224), _sides(config, "patch_size", 16)
    if size[0] < patch[0] or size[1] < patch[1]:
        raise BadInput(f"image_size {told(config.get('image_size'))}: it is less than one patch")
    return vision_transformer.VisionTransformer(
        _head(config, tensors, "classifier"),
        size,
        patch,
        *(config[name] for name in ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")),
        pooler_size=(config.get("pooler_output_size") or width) if "pooler.dense.weight" in tensors else None,
        activation=activation(config, "hidden_act", "gelu"),
        norm=functools.partial(vision_transformer.layer_norm, epsilon=epsilon(config, "layer_norm_eps", 1e-12)),
    )


def _vit_sources(config: Config) -> PyTree:
    def block(name: str) -> PyTree:
        attention = {part: of_linear(f"{name}.attention.attention.{part}") for part in ("query", "key", "value")}
        return {
            "LayerNorm_0": of_norm(f"{name}.layernorm_before"),
            "MultiHeadAttention_0": {**attention, "out": of_linear(f"{name}.attention.output.dense")},
            "LayerNorm_1": of_norm(f"{name}.layernorm_after"),
            "MLP_0": {"Dense_0": of_linear(f"{name}.intermediate.dense"), "Dense_1": of_linear(f"{name}.output.dense")},
        }

    return {
        "patches": of_conv("embeddings.patch_embeddings.projection"),
        "first": From("embeddings.cls_token"),
        "positions": From("embeddings.position_embeddings"),
        **{f"blocks_{i}": block(f"encoder.layer.{i}") for i in range(config["num_hidden_layers"])},
        "last_norm": of_norm("layernorm"),
        "pooler": of_linear("pooler.dense"),
        "head": of_linear("classifier"),
    }


VISION = {
    "resnet": Architecture(
        _resnet,
        _resnet_sources,
        ("num_channels", "embedding_size"),
        ("widening",),  # no field of Hugging Face's, which has no wide ones
        only={"hidden_act": "relu"},
        prefix="resnet.",
        optional=("head",),
        plain="classifier",
        series=("hidden_sizes", "depths"),
        extras=_resnet_extras,
        inputs=_picture,
    ),
    "convnext": Architecture(
        _convnext,
        _convnext_sources,
        ("num_channels",),
        aliases={"num_hidden_layers": "num_stages"},
        prefix="convnext.",
        optional=("head",),
        plain="classifier",
        series=("hidden_sizes", "depths"),
        inputs=_picture,
    ),
    "vit": Architecture(
        _vit,
        _vit_sources,
        ("num_channels", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
        ("pooler_output_size",),
        {"hidden_size": "num_attention_heads"},
        {"qkv_bias": True, "pooler_act": "tanh"},
        prefix="vit.",
        optional=("pooler", "head"),
        plain="classifier",
        inputs=_picture,
    ),
}
