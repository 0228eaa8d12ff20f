"""Weights as torchvision names them, brought to Hugging Face's names and configurations.

torchvision publishes a `.pth` without a configuration; one line makes a file of it that is read here:

    import safetensors.torch, torch
    safetensors.torch.save_file(torch.load("resnet50.pth", weights_only=True), "resnet50.safetensors")
"""

import re
from typing import Any

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.data.processor import IMAGENET
from adl.nn.convnext import CONVNEXTS
from adl.nn.residual import RESNETS
from adl.nn.tensors import Tensors
from adl.nn.vision_transformer import TRANSFORMERS

# Of torchvision's weights "IMAGENET1K_V1". The shorter side of others before the crop is told where they are published.
EVALUATED = {"image_processor_type": "BitImageProcessor", "resample": 2, "do_center_crop": True, "crop_size": 224}
NORMS = {"conv": "convolution", "bn": "normalization"}
ENCODER = {
    "ln_1": "layernorm_before",
    "ln_2": "layernorm_after",
    "self_attention.out_proj": "attention.output.dense",
    "mlp.0": "intermediate.dense",
    "mlp.linear_1": "intermediate.dense",  # as older ones say
    "mlp.3": "output.dense",
    "mlp.linear_2": "output.dense",
}
NEXT_BLOCK = {"block.0": "dwconv", "block.2": "layernorm", "block.3": "pwconv1", "block.5": "pwconv2"}
PLAIN = {  # the names that stand once, by `model_type`
    "resnet": {
        "conv1": "resnet.embedder.embedder.convolution",
        "bn1": "resnet.embedder.embedder.normalization",
        "fc": "classifier.1",
    },
    "convnext": {
        "features.0.0": "convnext.embeddings.patch_embeddings",
        "features.0.1": "convnext.embeddings.layernorm",
        "classifier.0": "convnext.layernorm",
        "classifier.2": "classifier",
    },
    "vit": {
        "conv_proj": "vit.embeddings.patch_embeddings.projection",
        "class_token": "vit.embeddings.cls_token",
        "encoder.pos_embedding": "vit.embeddings.position_embeddings",
        "encoder.ln": "vit.layernorm",
        "heads.head": "classifier",
    },
}
HEADS = {"resnet": "fc", "convnext": "classifier.2", "vit": "heads.head"}
NAMES = (*RESNETS, *CONVNEXTS, *TRANSFORMERS)


def in_other_names(architecture: str, tensors: Tensors) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(configuration, tensors by Hugging Face's names) of a state dict of torchvision.

    Args:
      architecture: "resnet50", "convnext_tiny", "vit_b_16" ...: as torchvision calls the function that makes it.
      tensors: by torchvision's names. Another number of classes, of a head that was trained anew, is read as well.
    Raises:
      BadInput: if there is no such architecture here, or two names become one.
    """
    if architecture not in NAMES:
        hint = did_you_mean(architecture, NAMES)
        raise BadInput(f"architecture {architecture}: it must be one of {', '.join(NAMES)}{hint}")
    config = configuration(architecture)
    kind = config["model_type"]
    renamed: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        for new, part in _renamed(kind, name, tensor):
            if new in renamed:
                raise BadInput(f"tensor {name} is there under two names")
            renamed[new] = part
    head = tensors.get(f"{HEADS[kind]}.weight")
    number = len(head) if head is not None and np.ndim(head) else 1000
    config["id2label"] = {str(i): str(i) for i in range(number)}
    config["label2id"] = {str(i): i for i in range(number)}
    return config, renamed


def configuration(architecture: str) -> dict[str, Any]:
    """What config.json of Hugging Face's libraries would say of an architecture of torchvision's, but for classes."""
    if architecture in RESNETS:
        of = RESNETS[architecture]
        kind, channels = of.get("kind", "basic"), of.get("channels", (64, 128, 256, 512))
        sizes = {"hidden_sizes": list(channels), "depths": list(of["num_blocks"]), "embedding_size": 64}
        sizes |= {"layer_type": kind, "hidden_act": "relu"}
        sizes |= {"widening": of["widening"]} if "widening" in of else {}
        return {"model_type": "resnet", "architectures": ["ResNetForImageClassification"], "num_channels": 3, **sizes}
    if architecture in CONVNEXTS:
        of = CONVNEXTS[architecture]
        sizes = {"hidden_sizes": list(of.get("channels", (96, 192, 384, 768))), "depths": list(of["num_blocks"])}
        sizes |= {"num_stages": 4, "patch_size": 4, "hidden_act": "gelu", "layer_norm_eps": 1e-6, "num_channels": 3}
        return {"model_type": "convnext", "architectures": ["ConvNextForImageClassification"], **sizes}
    of = TRANSFORMERS[architecture]
    sizes = {"hidden_size": of.get("width", 768), "num_hidden_layers": of.get("num_layers", 12), "image_size": 224}
    sizes |= {"num_attention_heads": of.get("num_heads", 12), "intermediate_size": of.get("hidden", 3072)}
    sizes |= {"patch_size": of.get("patch", (16, 16))[0], "num_channels": 3, "hidden_act": "gelu"}
    return {"model_type": "vit", "architectures": ["ViTForImageClassification"], **sizes, "layer_norm_eps": 1e-6}


def evaluated(shorter: int) -> dict[str, Any]:
    """What preprocessor_config.json would say of how torchvision evaluates: the shorter side first, then the middle."""
    return {**EVALUATED, **IMAGENET, "size": {"shortest_edge": shorter}}


def _renamed(kind: str, name: str, tensor: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The tensors, by their other names, that one of torchvision's is; what is not known stays as it is."""
    module, _, end = name.rpartition(".")
    if name in PLAIN[kind]:
        return [(PLAIN[kind][name], tensor)]
    if module in PLAIN[kind]:
        return [(f"{PLAIN[kind][module]}.{end}", tensor)]
    return {"resnet": _of_resnet, "convnext": _of_convnext, "vit": _of_vit}[kind](name, tensor)


def _of_resnet(name: str, tensor: np.ndarray) -> list[tuple[str, np.ndarray]]:
    found = re.fullmatch(r"layer(\d+)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.([01]))\.(\w+)", name)
    if not found:
        return [(name, tensor)]
    stage, block, part, number, of_shortcut, end = found.groups()
    what = NORMS[part] if part else tuple(NORMS.values())[int(of_shortcut)]
    where = f"layer.{int(number) - 1}" if part else "shortcut"
    return [(f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}.{where}.{what}.{end}", tensor)]


def _of_convnext(name: str, tensor: np.ndarray) -> list[tuple[str, np.ndarray]]:
    found = re.fullmatch(r"features\.(\d+)\.(\d+)\.(.+)", name)
    if not found:
        return [(name, tensor)]
    place, number, rest = int(found[1]), found[2], found[3]
    stage = f"convnext.encoder.stages.{place // 2}"
    if place % 2 == 0:
        return [(f"{stage}.downsampling_layer.{number}.{rest}", tensor)]
    stage = f"convnext.encoder.stages.{(place - 1) // 2}.layers.{number}"
    if rest == "layer_scale":
        return [(f"{stage}.layer_scale_parameter", np.reshape(tensor, -1))]
    module, _, end = rest.rpartition(".")
    return [(f"{stage}.{NEXT_BLOCK[module]}.{end}" if module in NEXT_BLOCK else name, tensor)]


def _of_vit(name: str, tensor: np.ndarray) -> list[tuple[str, np.ndarray]]:
    found = re.fullmatch(r"encoder\.layers\.encoder_layer_(\d+)\.(.+)", name)
    if not found:
        return [(name, tensor)]
    layer, rest = f"vit.encoder.layer.{found[1]}", found[2]
    if whole := re.fullmatch(r"self_attention\.in_proj_(weight|bias)", rest):
        if not np.ndim(tensor) or len(tensor) % 3:
            raise BadInput(f"tensor {name} is of shape {np.shape(tensor)}: it must have three equal parts")
        parts = zip(("query", "key", "value"), np.split(np.asarray(tensor), 3), strict=True)
        return [(f"{layer}.attention.attention.{part}.{whole[1]}", value) for part, value in parts]
    module, _, end = rest.rpartition(".")
    return [(f"{layer}.{ENCODER[module]}.{end}" if module in ENCODER else name, tensor)]
