"""Published networks that see, in two lines: classes or features of pictures, by ResNet, ConvNeXt and ViT.

A folder as Hugging Face's libraries write it, with `config.json`, safetensors and `preprocessor_config.json`, or a file
of torchvision's weights (`adl.vision.torchvision` says how it is made of their `.pth`):

    from adl.vision import published

    network = published.load("resnet-50")
    best = network.predict(["cat.jpg", "dog.png"]).argmax(-1)  # [2]; network.names says what they are
    vectors = network.embed(["cat.jpg", "dog.png"])  # [2, D]
    same = published.load_torchvision("resnet50.safetensors", "resnet50")

What was trained on goes back into such a folder, which `transformers` loads (from the command line
`python -m experiments.vision.finetune --published resnet-50`):

    network.tuned(network.variables).save("resnet-50-again")
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from flax.traverse_util import unflatten_dict
from jax import Array

from adl.core import BadInput, PyTree, first_line, probe
from adl.data.processor import Processor, processor_of
from adl.data.safetensors import enclosed, note_weights, tensors_of, weights, write_weights
from adl.nn import pretrained
from adl.nn.residual import OriginalResNet, UnbiasedBatchNorm
from adl.nn.vision_architectures import VISION, class_names
from adl.vision.torchvision import evaluated, in_other_names

NAMES = {"resnet": "ResNet", "convnext": "ConvNext", "vit": "ViT"}  # as the classes there begin
HEADS = {"num_classes": "head", "pooler_size": "pooler"}  # fields that say how wide they are, and their parameters
CLASSIFIERS = {kind: f"{name}ForImageClassification" for kind, name in NAMES.items()}
AT_ONCE = 16  # pictures that are looked at side by side
PREPROCESSOR = "preprocessor_config.json"
PROCESSORS = {"resnet": "ConvNext", "convnext": "ConvNext", "vit": "ViT"}  # where the file does not say its kind


class Backbone(NamedTuple):
    """A network that sees, its weights, and how pictures become its input."""

    config: Mapping[str, Any]  # as config.json says
    model: nn.Module  # `OriginalResNet`, `ConvNeXt` or `VisionTransformer`
    variables: PyTree  # {"params": ...}, of a ResNet also {"batch_stats": ...}; float32
    counts: Mapping[str, np.ndarray]  # tensors that only count, `num_batches_tracked`, saved as they are
    processor: Processor | None  # None: the folder says nothing of it

    @property
    def names(self) -> list[str]:
        """What the K classes are called; none where there is no head."""
        return class_names(self.config) if "head" in self.variables["params"] else []

    def body(self, axis: str | None = None) -> nn.Module:
        """The model without its heads: `[B, H, W, C] -> [B, D]`.

        Args:
          axis: mapped axis (pmap) over which a ResNet that goes on learning normalises its batch; None: there is none.
        """
        without = {name: None for name in HEADS if hasattr(self.model, name)}
        if axis is not None and isinstance(self.model, OriginalResNet):
            without["norm"] = functools.partial(UnbiasedBatchNorm, axis=axis)
        return self.model.clone(**without)

    @property
    def body_variables(self) -> PyTree:
        """Of the body."""
        params = {name: of for name, of in self.variables["params"].items() if name not in HEADS.values()}
        return {**self.variables, "params": params}

    def predict(self, pictures: Sequence[np.ndarray | str | Path]) -> np.ndarray:
        """`[B, K]` probabilities of B pictures, uint8 `[h, w, C]` each, or the files that they are in.

        Raises:
          BadInput: if there is no head, or no word of how pictures are prepared; or as `Processor` does.
        """
        if not self.names:
            raise BadInput("predict: this checkpoint has no head for classes; it can embed")
        return np.asarray(jax.nn.softmax(self._seen(self.model, self.variables, pictures), -1))

    def embed(self, pictures: Sequence[np.ndarray | str | Path]) -> np.ndarray:
        """`[B, D]` features of pictures, what the head would see; arguments and errors as of `predict`."""
        return self._seen(self.body(), self.body_variables, pictures)

    def tuned(self, variables: PyTree) -> "Backbone":
        """The same with other variables, of the same shapes."""
        return self._replace(variables={name: variables[name] for name in self.variables})

    def retrained(self, arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> "Backbone":
        """The same body, tuned, under a head for other classes: what became of `vision.transfer.Headed(body, K)`.

        Args:
          arrays: its variables by their paths: "params/head/bias".
          names: of the K classes.
        """
        variables = unflatten_dict(arrays, sep="/")
        of = {name: {**tree["body"]} for name, tree in variables.items()}
        of["params"]["head"] = variables["params"]["head"]
        kind = self.config["model_type"]
        told = {"id2label": {str(i): name for i, name in enumerate(names)}, "architectures": [CLASSIFIERS[kind]]}
        told |= {"label2id": {name: i for i, name in enumerate(names)}}
        config = {name: value for name, value in self.config.items() if name != "num_labels"}
        model = self.body().clone(num_classes=len(names))
        return self._replace(config={**config, **told}, model=model, variables=of)

    def save(self, path: str | Path) -> Path:
        """A new folder of all this, which `load` opens, and `from_pretrained` of `transformers`, but of wide ResNets.

        Raises:
          BadInput: if there is something already, it cannot be written, or variables and configuration differ.
        """
        config = {name: value for name, value in self.config.items() if name != "torch_dtype"} | {"dtype": "float32"}
        extras = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), dict(self.variables))
        tensors = pretrained.checkpoint_of(config, extras.pop("params"), extras, VISION)
        means = [name for name in tensors if name.endswith(".running_mean")]
        counted = {name.removesuffix("running_mean") + "num_batches_tracked": np.zeros((), np.int64) for name in means}
        files = {} if self.processor is None else {PREPROCESSOR: _written(self.processor.config)}
        return write_weights(path, config, {**counted, **self.counts, **tensors}, files)

    def shaped(self, pictures: Sequence[np.ndarray | str | Path]) -> np.ndarray:
        """`[B, H, W, C]` uint8, of the size that the network sees; `processor.scaled` is what is left to do.

        Raises:
          BadInput: as `predict`.
        """
        if self.processor is None:
            raise BadInput(f"the folder has no {PREPROCESSOR}, which says how pictures become the network's input")
        return self.processor.shaped(pictures)

    def _seen(self, model: nn.Module, variables: PyTree, pictures: Sequence[np.ndarray | str | Path]) -> np.ndarray:
        if self.processor is None or isinstance(pictures, str | Path) or not len(pictures):
            self.shaped(pictures)  # refuses it
        look, found = _looking(model), []
        for start in range(0, len(pictures), AT_ONCE):
            part = self.shaped(pictures[start : start + AT_ONCE])
            short = min(AT_ONCE, len(pictures)) - len(part)
            whole = np.concatenate([part, np.repeat(part[:1], short, 0)])
            found.append(np.asarray(look(variables, self.processor.scaled(whole)))[: len(part)])
        return np.concatenate(found)


def load(path: str | Path) -> Backbone:
    """The network of a folder with `config.json`, safetensors and perhaps `preprocessor_config.json`.

    Args:
      path: of the folder.
    Raises:
      BadInput: as `safetensors.weights`, `pretrained.load_variables` and `processor_of` do, or if the checkpoint has a
        tensor that the network has no place for: one line that says what is wrong.
    """
    config, tensors = weights(path)
    note_weights(path, PREPROCESSOR)
    content = enclosed(path, PREPROCESSOR)
    processor = None if content is None else processor_of(_read(content), PROCESSORS.get(config.get("model_type"), ""))
    return _backbone(config, tensors, processor)


def load_torchvision(path: str | Path, architecture: str, *, shorter: int = 256) -> Backbone:
    """The network of a safetensors file of torchvision's names.

    Args:
      path: of the file.
      architecture: "resnet18" ..., "wide_resnet50_2", "convnext_tiny" ..., "vit_b_16" ...
      shorter: side to which the shorter of a picture's is brought before its middle, 224x224, is taken: 256 of the
        weights IMAGENET1K_V1 of ResNets and ViTs, 232 of ResNets' V2, 236, 230 and 232 of ConvNeXt-T, S and B.
    Raises:
      BadInput: as `load`, and for an architecture that is not here.
    """
    if Path(path).suffix in (".pth", ".pt", ".bin"):
        raise BadInput(f"{path} is PyTorch's own format: the docstring of adl.vision.torchvision has the line for it")
    tensors = tensors_of(path)
    config, tensors = in_other_names(architecture, tensors)
    note_weights(path)
    return _backbone(config, tensors, processor_of(evaluated(shorter), "Bit"))


def _backbone(config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], processor: Processor | None) -> Backbone:
    model, variables, unused = pretrained.load_variables(config, tensors, VISION)
    if unused:
        raise BadInput(f"the checkpoint has tensor {unused[0]}, for which this {config['model_type']} has no place")
    channels = config["num_channels"]
    if processor is not None and processor.mean is not None and len(processor.mean) != channels:
        raise BadInput(f"{PREPROCESSOR}: image_mean has {len(processor.mean)} numbers, num_channels is {channels}")
    counts = {name: tensor for name, tensor in tensors.items() if name.endswith(".num_batches_tracked")}
    prefix = VISION[config["model_type"]].prefix
    counts = {prefix + name.removeprefix(prefix): tensor for name, tensor in counts.items()}
    return Backbone(config, model, variables, counts, processor)


def _written(config: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(config, indent=2, sort_keys=True)}\n".encode()


def _read(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{PREPROCESSOR} cannot be read: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise BadInput(f"{PREPROCESSOR} must hold names and values")
    return found


@functools.lru_cache(maxsize=8)  # programs
def _looking(model: nn.Module) -> Callable[[PyTree, Array], Array]:
    return probe.jitted(model.apply)
