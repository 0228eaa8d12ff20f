"""Models from checkpoints of Hugging Face's names: GPT-2, BERT and T5, as published or trained elsewhere.

    from adl.data.safetensors import weights
    model, params, unused = pretrained.load(*weights("folder/of/gpt2"))
    logits = model.apply({"params": params}, token)

An architecture is a module, and for each of its parameters the tensor it is read from. `ARCHITECTURES` has them by the
`model_type` of config.json.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from adl.core import BadInput, PyTree, tree
from adl.nn.attention import MultiHeadAttention
from adl.nn.encoder import BERT, exact_gelu
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.transformer import GPT, gelu, gelu_mlp, swiglu

Config = Mapping[str, Any]  # as in config.json
ACTIVATIONS = {"gelu_new": gelu, "gelu_pytorch_tanh": gelu, "gelu": exact_gelu, "relu": nn.relu, "silu": nn.silu}


class Pretrained(NamedTuple):
    """A model and its weights."""

    model: nn.Module
    params: PyTree  # float32; without the heads that the checkpoint does not have
    unused: tuple[str, ...]  # tensors of the checkpoint that the model has no place for


class From(NamedTuple):
    """Where a parameter comes from."""

    tensor: str  # its name in the checkpoint
    change: Callable[[np.ndarray], np.ndarray] = np.asarray  # what makes the parameter of it


def load(config: Config, tensors: Mapping[str, np.ndarray]) -> Pretrained:
    """The model that a checkpoint describes, with its weights.

    GPT-2 becomes a `GPT`, BERT a `BERT`, T5 (both versions, and what derives from them) an `EncoderDecoder`. A float
    of any size becomes float32. A head of BERT that the checkpoint lacks is left out of the parameters.

    Args:
      config: of config.json, with `model_type`.
      tensors: by name.
    Raises:
      BadInput: for an unknown architecture or a variant that is not computed here, a missing tensor, or one of another
        shape than the configuration says; one line that names it.
    """
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        raise BadInput(f"model_type {kind}: no such architecture here; there are {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[kind]
    try:
        model, sources, optional = architecture.model(config), architecture.sources(config), architecture.optional
    except KeyError as error:
        raise BadInput(f"config.json of {kind} has no {error.args[0]}") from None
    tensors = {_plain(name, architecture.prefix): tensor for name, tensor in tensors.items()}
    token = jnp.zeros((1, 1), jnp.int32)
    inputs = (token, token) if isinstance(model, EncoderDecoder) else (token,)
    wanted = jax.eval_shape(model.init, jax.random.key(0), *inputs)["params"]
    for name in optional:
        if all(source.tensor not in tensors for source in jax.tree.leaves(sources[name], is_leaf=_is_source)):
            sources, wanted = ({k: v for k, v in of.items() if k != name} for of in (sources, wanted))

    def read(path, source: From, shape: jax.ShapeDtypeStruct) -> jax.Array:
        if source.tensor not in tensors:
            raise BadInput(f"the checkpoint has no tensor {source.tensor}, which {kind} wants")
        found = np.asarray(tensors[source.tensor])
        value = source.change(found)
        if value.shape != shape.shape:
            where = tree.name(path)
            sizes = f"{found.shape} makes {value.shape}, where config.json says {shape.shape}"
            raise BadInput(f"tensor {source.tensor} does not fit {where}: {sizes}")
        return jnp.asarray(value, jnp.float32)

    params = jax.tree.map_with_path(read, sources, wanted, is_leaf=_is_source)
    used = {source.tensor for source in jax.tree.leaves(sources, is_leaf=_is_source)}
    used |= {name for name in tensors if re.search(architecture.known, name)}
    return Pretrained(model, params, tuple(sorted(set(tensors) - used)))


def _is_source(leaf: Any) -> bool:
    return isinstance(leaf, From)


def _plain(name: str, prefix: str) -> str:
    """A tensor's name without what some checkpoints put before it, and with today's words for a norm's."""
    name = name.removeprefix(prefix)
    return re.sub(r"LayerNorm\.(gamma|beta)$", lambda m: f"LayerNorm.{OLD[m[1]]}", name)


OLD = {"gamma": "weight", "beta": "bias"}


def _dense(name: str) -> PyTree:
    """Parameters of `nn.Dense` from PyTorch's `Linear`, whose weight is `[out, in]`."""
    return {**_matrix(name), "bias": From(f"{name}.bias")}


def _matrix(name: str) -> PyTree:
    return {"kernel": From(f"{name}.weight", np.transpose)}


def _conv1d(name: str) -> PyTree:
    """Parameters of `nn.Dense` from GPT-2's `Conv1D`, whose weight is `[in, out]`."""
    return {"kernel": From(f"{name}.weight"), "bias": From(f"{name}.bias")}


def _norm(name: str) -> PyTree:
    return {"scale": From(f"{name}.weight"), "bias": From(f"{name}.bias")}


def _activation(config: Config, field: str) -> Callable:
    name = config.get(field, "gelu_new")
    if name not in ACTIVATIONS:
        raise BadInput(f"{field} {name}: it must be one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def _gpt2(config: Config) -> GPT:
    for field in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
        if config.get(field):
            raise BadInput(f"{field} true: this variant of gpt2 is not computed here")
    if not config.get("tie_word_embeddings", True):
        raise BadInput("tie_word_embeddings false: this variant of gpt2 is not computed here")
    hidden = functools.partial(
        gelu_mlp, hidden=config.get("n_inner"), activation=_activation(config, "activation_function")
    )
    sizes = (config[name] for name in ("vocab_size", "n_positions", "n_layer", "n_head", "n_embd"))
    norm = functools.partial(nn.LayerNorm, epsilon=config.get("layer_norm_epsilon", 1e-5))
    return GPT(*sizes, feedforward=hidden, norm=norm)


def _gpt2_sources(config: Config) -> PyTree:
    def block(i: int) -> PyTree:
        def third(part: int) -> PyTree:
            def change(tensor: np.ndarray) -> np.ndarray:
                return np.array_split(tensor, 3, -1)[part]

            return {
                name: From(f"h.{i}.attn.c_attn.{end}", change) for name, end in (("kernel", "weight"), ("bias", "bias"))
            }

        parts = {name: third(part) for part, name in enumerate(("query", "key", "value"))}
        return {
            "LayerNorm_0": _norm(f"h.{i}.ln_1"),
            "MultiHeadAttention_0": {**parts, "out": _conv1d(f"h.{i}.attn.c_proj")},
            "LayerNorm_1": _norm(f"h.{i}.ln_2"),
            "MLP_0": {"Dense_0": _conv1d(f"h.{i}.mlp.c_fc"), "Dense_1": _conv1d(f"h.{i}.mlp.c_proj")},
        }

    blocks = {f"Block_{i}": block(i) for i in range(config["n_layer"])}
    outer = {"tokens": {"embedding": From("wte.weight")}, "positions": From("wpe.weight"), "LayerNorm_0": _norm("ln_f")}
    return {**blocks, **outer}


def _bert(config: Config) -> BERT:
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise BadInput(f"position_embedding_type {config['position_embedding_type']}: it must be absolute")
    if config.get("is_decoder"):
        raise BadInput("is_decoder true: this variant of bert is not computed here")
    names = ("vocab_size", "max_position_embeddings", "num_hidden_layers", "num_attention_heads", "hidden_size")
    norm = functools.partial(nn.LayerNorm, epsilon=config.get("layer_norm_eps", 1e-12))
    return BERT(
        *(config[name] for name in (*names, "intermediate_size", "type_vocab_size")),
        activation=_activation(config, "hidden_act"),
        norm=norm,
    )


def _bert_sources(config: Config) -> PyTree:
    def block(i: int) -> PyTree:
        name = f"encoder.layer.{i}"
        attention = {part: _dense(f"{name}.attention.self.{part}") for part in ("query", "key", "value")}
        return {
            "MultiHeadAttention_0": {**attention, "out": _dense(f"{name}.attention.output.dense")},
            "LayerNorm_0": _norm(f"{name}.attention.output.LayerNorm"),
            "MLP_0": {"Dense_0": _dense(f"{name}.intermediate.dense"), "Dense_1": _dense(f"{name}.output.dense")},
            "LayerNorm_1": _norm(f"{name}.output.LayerNorm"),
        }

    return {
        **{f"blocks_{i}": block(i) for i in range(config["num_hidden_layers"])},
        "tokens": {"embedding": From("embeddings.word_embeddings.weight")},
        "segments": {"embedding": From("embeddings.token_type_embeddings.weight")},
        "positions": From("embeddings.position_embeddings.weight"),
        "embedding_norm": _norm("embeddings.LayerNorm"),
        "pooler": _dense("pooler.dense"),
        "head": {
            "Dense_0": _dense("cls.predictions.transform.dense"),
            "LayerNorm_0": _norm("cls.predictions.transform.LayerNorm"),
            "bias": From("cls.predictions.bias"),
        },
    }


def _t5(config: Config) -> EncoderDecoder:
    form = config.get("feed_forward_proj", "relu")
    is_gated, name = form.startswith("gated-"), form.removeprefix("gated-")
    activation = gelu if form == "gated-gelu" else _activation({"feed_forward_proj": name}, "feed_forward_proj")
    feedforward = functools.partial(
        swiglu if is_gated else gelu_mlp, hidden=config["d_ff"], activation=activation, use_bias=False
    )
    is_tied = config.get("tie_word_embeddings", True)
    is_scaled = config.get("scale_decoder_outputs", is_tied)
    return EncoderDecoder(
        *(config[name] for name in ("vocab_size", "num_layers", "num_heads", "d_model")),
        position="relative",
        attention=functools.partial(MultiHeadAttention, head_dim=config["d_kv"], use_bias=False, scale=1.0),
        feedforward=feedforward,
        norm=functools.partial(nn.RMSNorm, epsilon=config.get("layer_norm_epsilon", 1e-6)),
        embedding_scale=1.0,
        head="tied" if is_tied else "own",
        head_scale=config["d_model"] ** -0.5 if is_scaled else 1.0,
        num_decoder_layers=config.get("num_decoder_layers"),
        num_buckets=config.get("relative_attention_num_buckets", 32),
        max_distance=config.get("relative_attention_max_distance", 128),
    )


def _t5_sources(config: Config) -> PyTree:
    is_gated = config.get("feed_forward_proj", "relu").startswith("gated-")

    def attention(name: str) -> PyTree:
        parts = {"query": "q", "key": "k", "value": "v", "out": "o"}
        return {ours: _matrix(f"{name}.{theirs}") for ours, theirs in parts.items()}

    def perceptron_of(name: str) -> PyTree:
        if is_gated:
            parts = {"gate": "wi_0", "up": "wi_1", "down": "wo"}
            return {"GatedMLP_0": {ours: _matrix(f"{name}.{theirs}") for ours, theirs in parts.items()}}
        return {"MLP_0": {"Dense_0": _matrix(f"{name}.wi"), "Dense_1": _matrix(f"{name}.wo")}}

    def block(stack: str, i: int, attentions: tuple[str, ...]) -> PyTree:
        name = f"{stack}.block.{i}.layer"
        parts = {f"MultiHeadAttention_{j}": attention(f"{name}.{j}.{of}") for j, of in enumerate(attentions)}
        last = len(attentions)
        norms = {f"RMSNorm_{j}": {"scale": From(f"{name}.{j}.layer_norm.weight")} for j in range(last + 1)}
        return {**parts, **norms, **perceptron_of(f"{name}.{last}.DenseReluDense")}

    def stack(name: str, number: int, attentions: tuple[str, ...]) -> PyTree:
        bias = From(f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
        return {
            **{f"{name}_{i}": block(name, i, attentions) for i in range(number)},
            f"{name}_norm": {"scale": From(f"{name}.final_layer_norm.weight")},
            f"{name}_bias": {"buckets": {"embedding": bias}},
        }

    head = {} if config.get("tie_word_embeddings", True) else {"last": _matrix("lm_head")}
    return {
        "tokens": {"embedding": From("shared.weight")},
        **stack("encoder", config["num_layers"], ("SelfAttention",)),
        **stack(
            "decoder", config.get("num_decoder_layers") or config["num_layers"], ("SelfAttention", "EncDecAttention")
        ),
        **head,
    }


class Architecture(NamedTuple):
    """How checkpoints of one `model_type` are read."""

    model: Callable[[Config], nn.Module]
    sources: Callable[[Config], PyTree]  # the model's parameters, `From` in place of arrays
    prefix: str = ""  # that some checkpoints put before every name
    optional: tuple[str, ...] = ()  # parameters of heads that a checkpoint may lack
    known: str = r"$^"  # pattern of tensors that say nothing new: masks, numbers of positions, copies


ARCHITECTURES = {
    "gpt2": Architecture(_gpt2, _gpt2_sources, "transformer.", (), r"\.attn\.(masked_)?bias$|^lm_head\.weight$"),
    "bert": Architecture(
        _bert,
        _bert_sources,
        "bert.",
        ("pooler", "head"),
        r"position_ids$|^cls\.predictions\.decoder\.",
    ),
    "t5": Architecture(_t5, _t5_sources, "", (), r"coder\.embed_tokens\.weight$|^lm_head\.weight$"),
}
