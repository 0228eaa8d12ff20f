"""Models from checkpoints of Hugging Face's names, as published or trained elsewhere: GPT-2, LLaMA, BERT, T5.

    from adl.data.safetensors import weights
    model, params, unused = pretrained.load(*weights("folder/of/gpt2"))
    logits = model.apply({"params": params}, token)

What architectures there are, and which tensor each parameter is read from, is in `adl.nn.architectures`; those of
pictures are in `adl.nn.vision_architectures`, and `adl.vision.published` reads them.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from adl.core import BadInput, PyTree, tree
from adl.nn.architectures import ARCHITECTURES
from adl.nn.fields import Config, told
from adl.nn.tensors import ONLY, Architecture, From, Tensors, is_copy, is_source, of

Architectures = Mapping[str, Architecture]  # by their `model_type`


class Pretrained(NamedTuple):
    """A model and its weights."""

    model: nn.Module
    params: PyTree  # float32; without the heads that the checkpoint does not have
    unused: tuple[str, ...]  # tensors of the checkpoint that the model has no place for


class WithExtras(NamedTuple):
    """The same of a model that has more collections than its parameters."""

    model: nn.Module
    variables: PyTree  # {"params": ...}, and others, such as "batch_stats"; float32
    unused: tuple[str, ...]


def load(config: Config, tensors: Tensors) -> Pretrained:
    """The model that a checkpoint describes, with its weights.

    GPT-2, LLaMA and Mistral become a `GPT`, BERT a `BERT`, T5 (both versions, and what derives from them) an
    `EncoderDecoder`, which compute what Hugging Face's do. A float of 16 bits or more becomes float32. A head of BERT
    that the checkpoint lacks is left out of the parameters.

    Args:
      config: of config.json, with `model_type`.
      tensors: by name.
    Raises:
      BadInput: for an unknown architecture or a variant that is not computed here, a missing tensor, one of another
        type or shape than the configuration says, or one that should be a copy of another and is not; one line that
        names it.
    """
    model, variables, unused = load_variables(config, tensors)
    return Pretrained(model, variables["params"], unused)


def load_variables(config: Config, tensors: Tensors, among: Architectures = ARCHITECTURES) -> WithExtras:
    """As `load`, of any architectures, with all that the model's `apply` takes.

    Args:
      config: as of `load`.
      tensors: as of `load`.
      among: the architectures that are understood.
    Raises:
      BadInput: as `load`.
    """
    kind, architecture = _architecture(config, among)
    tensors = _plainly_named(tensors, architecture.prefix)
    _require_known(config, kind, architecture)
    _require_sizes(config, kind, architecture, tensors)
    copies = {name for name in architecture.copies if is_copy(tensors, name, architecture.copies[name])}
    sources = architecture.sources(config)
    read_as_they_are = {source.tensor for source in of(sources)}
    if different := [name for name in architecture.copies if name in tensors.keys() - copies - read_as_they_are]:
        name = different[0]
        wrong = f"tensor {name} is not equal to {architecture.copies[name]}"
        raise BadInput(f"{wrong} (tie_word_embeddings false): this variant of {kind} is not computed here")
    for name in architecture.optional:
        if not {source.tensor for source in of(sources[name])} & (tensors.keys() - copies):
            del sources[name]
    everything = {"params": sources, **architecture.extras(config)}
    used = {source.tensor for source in of(everything)}
    if missing := sorted(used - tensors.keys()):
        raise BadInput(f"the checkpoint has no tensor {missing[0]}, which {kind} wants")
    model = architecture.model(config, tensors)
    wanted = _shapes(model, architecture.inputs(config))

    def read(path, source: From, shape: jax.ShapeDtypeStruct) -> jax.Array:
        found = np.asarray(tensors[source.tensor])
        if not jnp.issubdtype(found.dtype, jnp.floating) or found.dtype.itemsize < 2:
            raise BadInput(f"tensor {source.tensor} is {found.dtype}, where a float of 16, 32 or 64 bits is read")
        value = source.read(found) if found.ndim == len(shape.shape) else found
        if value.shape != shape.shape:
            where = _name(path)
            sizes = f"{found.shape} makes {value.shape}, where config.json says {shape.shape}"
            raise BadInput(f"tensor {source.tensor} does not fit {where}: {sizes}")
        return jnp.array(value, jnp.float32)

    wanted = {**wanted, "params": {name: wanted["params"][name] for name in sources}}
    variables = jax.tree.map_with_path(read, everything, wanted, is_leaf=is_source)
    used |= copies | {name for name in tensors if _says_nothing(name, tensors[name])}
    return WithExtras(model, variables, tuple(sorted(set(tensors) - used)))


def checkpoint_of(
    config: Config, params: PyTree, extras: Mapping[str, PyTree] = {}, among: Architectures = ARCHITECTURES
) -> dict[str, np.ndarray]:
    """`{name: tensor}` of a checkpoint that Hugging Face's own network loads: what `load` read, back again.

    Tensors that the configuration says to be another's again are left out; where it says that nothing is tied
    (`tie_word_embeddings` false), they are there.

    Args:
      config: as of `load`.
      params: as `load` gave them, trained on or not, of any floating type.
      extras: the other collections that `load_variables` gave.
      among: as of `load_variables`.
    Returns:
      Tensors of the parameters' types.
    Raises:
      BadInput: if the parameters are not those of such a model; one line that names the first.
    """
    kind, architecture = _architecture(config, among)
    sources = {
        name: source
        for name, source in architecture.sources(config).items()
        if name in params or name not in architecture.optional
    }
    everything = {**architecture.extras(config), "params": sources}
    wanted = {_name(path): source for path, source in jax.tree.leaves_with_path(everything, is_leaf=is_source)}
    given = jax.tree.leaves_with_path({**extras, "params": params})
    given = {_name(path): np.asarray(leaf) for path, leaf in given}
    if odd := sorted(wanted.keys() ^ given.keys()):
        has = "do not have" if odd[0] in wanted else "have"
        raise BadInput(f"these parameters {has} {odd[0]}: they are not those of a {kind} of this configuration")
    parts: dict[str, dict[int, np.ndarray]] = {}
    for name, source in wanted.items():
        parts.setdefault(source.tensor, {})[source.part] = source.written(given[name])
    found = {name: np.concatenate([of[i] for i in sorted(of)], -1) for name, of in parts.items()}
    if config.get("tie_word_embeddings") is False:
        copies = {name: found[other] for name, other in architecture.copies.items() if other in found}
        found = {**copies, **found}
    _require_known(config, kind, architecture)
    _require_sizes(config, kind, architecture, found)
    shapes = _shapes(architecture.model(config, found), architecture.inputs(config))
    shapes = {**shapes, "params": {name: shapes["params"][name] for name in sources}}
    for path, shape in jax.tree.leaves_with_path(shapes):
        if given[_name(path)].shape != shape.shape:
            sizes = f"{given[_name(path)].shape}, where the configuration says {shape.shape}"
            raise BadInput(f"parameter {_name(path)} is of shape {sizes}")
    return {name if name.startswith(architecture.plain) else architecture.prefix + name: x for name, x in found.items()}


def _name(path: tuple) -> str:
    """A leaf of a model's variables in words: of its parameters without their collection's name."""
    return tree.name(path).removeprefix("params/")


def _architecture(config: Config, among: Architectures) -> tuple[str, Architecture]:
    """The `model_type` and what it is."""
    if not isinstance(config, Mapping):
        raise BadInput(f"a configuration holds names and values: this is a {type(config).__name__}")
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in among:
        raise BadInput(f"model_type {str(kind)[:80]}: no such architecture here; there are {', '.join(among)}")
    return kind, among[kind]


def _shapes(model: nn.Module, inputs: tuple) -> PyTree:
    """Of its variables, without what it would sow."""
    found = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    return {name: of for name, of in found.items() if name != "intermediates"}


def _require_known(config: Config, kind: str, architecture: Architecture) -> None:
    """Nothing, where every field that would change the computation is as it is computed here.

    What Hugging Face's own network does not read changes nothing, and is not looked at.
    """
    for field, only in {**ONLY, **architecture.only}.items():
        if config.get(field, only) != only:
            raise BadInput(f"{field} {told(config[field])}: this variant of {kind} is not computed here")
    for alias, field in architecture.aliases.items():
        if alias in config and config[alias] != config.get(field):
            raise BadInput(f"{alias} {config[alias]} of config.json is another name of {field}: {config.get(field)}")


def _require_sizes(config: Config, kind: str, architecture: Architecture, tensors: Tensors) -> None:
    """Nothing, where sizes are numbers that a checkpoint of such tensors may have."""
    most = max([len(tensors), *(n for tensor in tensors.values() for n in np.shape(tensor))], default=0)
    for field in (*architecture.sizes, *architecture.other_sizes):
        size = config.get(field)
        if size is None and field in architecture.other_sizes:
            continue
        if field not in config:
            raise BadInput(f"config.json of {kind} has no {field}")
        if type(size) is not int or size < 1:
            raise BadInput(f"{field} {told(size)}: it must be a whole number, 1 or more")
        if size > most:
            raise BadInput(f"{field} {told(size)}: the checkpoint has no axis as long, nor as many tensors")
    for field in architecture.series:
        found, first = config.get(field), config.get(architecture.series[0])
        if not isinstance(found, list | tuple) or not all(type(n) is int and n >= 1 for n in found):
            raise BadInput(f"{field} {told(found)}: it must be a list of whole numbers, 1 or more")
        if max(*found, len(found), 0) > most:
            raise BadInput(f"{field} {told(found)}: the checkpoint has no axis as long, nor as many tensors")
        if not 0 < len(found) == len(first):
            raise BadInput(f"{field} {told(found)}: it must have as many as {architecture.series[0]} {told(first)}")
    for width, heads in architecture.divide.items():
        if config[width] % config[heads]:
            raise BadInput(f"{heads} {config[heads]} does not divide {width} {config[width]}")


def _says_nothing(name: str, tensor: np.ndarray) -> bool:
    """Whether a tensor is what it is for every checkpoint: a causal mask, what stands for what it hides, places."""
    tensor = np.asarray(tensor)
    if name.endswith(".attn.bias"):
        side = tensor.shape[-1] if tensor.ndim else 0
        return tensor.size == side**2 and np.array_equal(tensor.reshape(side, side), np.tril(np.ones((side, side))))
    if name.endswith(".attn.masked_bias"):
        return tensor.size == 1 and tensor.max() <= -1e4
    if name.endswith(".num_batches_tracked"):  # no more than counted
        return tensor.size == 1 and np.issubdtype(tensor.dtype, np.integer)
    return name.endswith("position_ids") and np.array_equal(tensor.reshape(-1), np.arange(tensor.size))


def _plainly_named(tensors: Tensors, prefix: str) -> dict[str, np.ndarray]:
    found = {}
    for name, tensor in tensors.items():
        plain = _plain(name, prefix)
        if plain in found:
            raise BadInput(f"tensor {plain} is in the checkpoint under two names, {name} is one")
        found[plain] = tensor
    return found


def _plain(name: str, prefix: str) -> str:
    """A tensor's name without what some checkpoints put before it, and with today's words for a norm's."""
    name = name.removeprefix(prefix)
    return re.sub(r"LayerNorm\.(gamma|beta)$", lambda m: f"LayerNorm.{OLD[m[1]]}", name)


OLD = {"gamma": "weight", "beta": "bias"}
