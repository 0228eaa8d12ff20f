"""Published language models: the module that each is, and the tensor that each parameter is read from.

`ARCHITECTURES` has them by the `model_type` of config.json; `adl.nn.pretrained` reads checkpoints by them.
"""

import functools
from collections.abc import Callable

from flax import linen as nn

from adl.core import BadInput, PyTree
from adl.nn.attention import MultiHeadAttention
from adl.nn.encoder import BERT
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.fields import Config, activation, epsilon, flag, told
from adl.nn.llama import llama, llama_sources
from adl.nn.tensors import A_TOKEN, Architecture, From, Tensors, is_copy, of_linear, of_matrix, of_norm
from adl.nn.transformer import GPT, gelu_mlp, layer_norm, swiglu


def _conv1d(name: str) -> PyTree:
    """Parameters of `nn.Dense` from GPT-2's `Conv1D`, whose weight is `[in, out]`."""
    return {"kernel": From(f"{name}.weight"), "bias": From(f"{name}.bias")}


def _gpt2(config: Config, tensors: Tensors) -> GPT:
    hidden = functools.partial(
        gelu_mlp, hidden=config.get("n_inner"), activation=activation(config, "activation_function")
    )
    norm = functools.partial(layer_norm, epsilon=epsilon(config, "layer_norm_epsilon", 1e-5))
    return GPT(*(config[name] for name in ARCHITECTURES["gpt2"].sizes), feedforward=hidden, norm=norm)


def _gpt2_sources(config: Config) -> PyTree:
    def block(i: int) -> PyTree:
        def third(part: int) -> PyTree:
            ends = {"kernel": "weight", "bias": "bias"}
            return {name: From(f"h.{i}.attn.c_attn.{end}", part=part, parts=3) for name, end in ends.items()}

        parts = {name: third(part) for part, name in enumerate(("query", "key", "value"))}
        return {
            "LayerNorm_0": of_norm(f"h.{i}.ln_1"),
            "MultiHeadAttention_0": {**parts, "out": _conv1d(f"h.{i}.attn.c_proj")},
            "LayerNorm_1": of_norm(f"h.{i}.ln_2"),
            "MLP_0": {"Dense_0": _conv1d(f"h.{i}.mlp.c_fc"), "Dense_1": _conv1d(f"h.{i}.mlp.c_proj")},
        }

    blocks = {f"Block_{i}": block(i) for i in range(config["n_layer"])}
    outer = {
        "tokens": {"embedding": From("wte.weight")},
        "positions": From("wpe.weight"),
        "LayerNorm_0": of_norm("ln_f"),
    }
    return {**blocks, **outer}


def _bert(config: Config, tensors: Tensors) -> BERT:
    if config.get("tie_word_embeddings", True) is not True and "cls.predictions.bias" in tensors:
        if "cls.predictions.decoder.weight" not in tensors:
            raise BadInput("tie_word_embeddings false: then the checkpoint needs cls.predictions.decoder.weight")
    norm = functools.partial(layer_norm, epsilon=epsilon(config, "layer_norm_eps", 1e-12))
    sizes = (config[name] for name in ARCHITECTURES["bert"].sizes)
    return BERT(*sizes, activation=activation(config, "hidden_act", "gelu"), norm=norm)


def _bert_sources(config: Config) -> PyTree:
    def block(i: int) -> PyTree:
        name = f"encoder.layer.{i}"
        attention = {part: of_linear(f"{name}.attention.self.{part}") for part in ("query", "key", "value")}
        return {
            "MultiHeadAttention_0": {**attention, "out": of_linear(f"{name}.attention.output.dense")},
            "LayerNorm_0": of_norm(f"{name}.attention.output.LayerNorm"),
            "MLP_0": {"Dense_0": of_linear(f"{name}.intermediate.dense"), "Dense_1": of_linear(f"{name}.output.dense")},
            "LayerNorm_1": of_norm(f"{name}.output.LayerNorm"),
        }

    return {
        **{f"blocks_{i}": block(i) for i in range(config["num_hidden_layers"])},
        "tokens": {"embedding": From("embeddings.word_embeddings.weight")},
        "segments": {"embedding": From("embeddings.token_type_embeddings.weight")},
        "positions": From("embeddings.position_embeddings.weight"),
        "embedding_norm": of_norm("embeddings.LayerNorm"),
        "pooler": of_linear("pooler.dense"),
        "head": {
            "Dense_0": of_linear("cls.predictions.transform.dense"),
            "LayerNorm_0": of_norm("cls.predictions.transform.LayerNorm"),
            "bias": From("cls.predictions.bias"),
        },
    }


def _t5(config: Config, tensors: Tensors) -> EncoderDecoder:
    is_gated, act = _t5_feedforward(config)
    feedforward = functools.partial(
        swiglu if is_gated else gelu_mlp, hidden=config["d_ff"], activation=act, use_bias=False
    )
    # Since version 5 Hugging Face's reads from the word about the head only this.
    is_scaled = flag(config, "scale_decoder_outputs", config.get("tie_word_embeddings") is not False)
    num_buckets = config.get("relative_attention_num_buckets") or 32
    max_distance = config.get("relative_attention_max_distance", 128)
    if num_buckets < 4 or type(max_distance) is not int or max_distance <= num_buckets // 2:
        sizes = f"relative_attention_num_buckets {num_buckets}, relative_attention_max_distance {told(max_distance)}"
        raise BadInput(f"{sizes}: there must be 4 or more, and the distance be more than half of that")
    return EncoderDecoder(
        *(config[name] for name in ("vocab_size", "num_layers", "num_heads", "d_model")),
        position="relative",
        attention=functools.partial(MultiHeadAttention, head_dim=config["d_kv"], use_bias=False, scale=1.0),
        feedforward=feedforward,
        norm=functools.partial(nn.RMSNorm, epsilon=epsilon(config, "layer_norm_epsilon", 1e-6)),
        embedding_scale=1.0,
        head="own" if _has_own_head(tensors) else "tied",
        head_scale=config["d_model"] ** -0.5 if is_scaled else 1.0,
        num_decoder_layers=config.get("num_decoder_layers"),
        num_buckets=num_buckets,
        max_distance=max_distance,
    )


def _t5_feedforward(config: Config) -> tuple[bool, Callable]:
    """(whether it is gated, its activation). What newer versions write beside `feed_forward_proj` is the last word."""
    form = config.get("feed_forward_proj", "relu")
    if not isinstance(form, str):
        raise BadInput(f"feed_forward_proj {told(form)}: it must be a word, such as relu or gated-gelu")
    name = "gelu_new" if form == "gated-gelu" else form.removeprefix("gated-")
    act = activation({"feed_forward_proj": name}, "feed_forward_proj")
    if "dense_act_fn" in config:
        act = activation(config, "dense_act_fn")
    return flag(config, "is_gated_act", form.startswith("gated-")), act


def _has_own_head(tensors: Tensors) -> bool:
    """Whether T5's head is another than the embeddings: two tensors of other numbers are not tied, whatever is said."""
    return "lm_head.weight" in tensors and not is_copy(tensors, "lm_head.weight", "shared.weight")


def _t5_sources(config: Config) -> PyTree:
    is_gated, _ = _t5_feedforward(config)

    def attention(name: str) -> PyTree:
        parts = {"query": "q", "key": "k", "value": "v", "out": "o"}
        return {ours: of_matrix(f"{name}.{theirs}") for ours, theirs in parts.items()}

    def perceptron_of(name: str) -> PyTree:
        if is_gated:
            parts = {"gate": "wi_0", "up": "wi_1", "down": "wo"}
            return {"GatedMLP_0": {ours: of_matrix(f"{name}.{theirs}") for ours, theirs in parts.items()}}
        return {"MLP_0": {"Dense_0": of_matrix(f"{name}.wi"), "Dense_1": of_matrix(f"{name}.wo")}}

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

    return {
        "tokens": {"embedding": From("shared.weight")},
        **stack("encoder", config["num_layers"], ("SelfAttention",)),
        **stack(
            "decoder", config.get("num_decoder_layers") or config["num_layers"], ("SelfAttention", "EncDecAttention")
        ),
        "last": of_matrix("lm_head"),
    }


_LLAMA = Architecture(
    llama,
    llama_sources,
    ("vocab_size", "num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size"),
    ("num_key_value_heads", "head_dim"),
    {"hidden_size": "num_attention_heads"},
    {"mlp_bias": False},
    prefix="model.",
    copies={"lm_head.weight": "embed_tokens.weight"},
    plain="lm_head.",
)
ARCHITECTURES = {
    "gpt2": Architecture(
        _gpt2,
        _gpt2_sources,
        ("vocab_size", "n_positions", "n_layer", "n_head", "n_embd"),
        ("n_inner",),
        {"n_embd": "n_head"},
        {
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
            "add_cross_attention": False,
            "tie_word_embeddings": True,
        },
        {
            "hidden_size": "n_embd",
            "max_position_embeddings": "n_positions",
            "num_attention_heads": "n_head",
            "num_hidden_layers": "n_layer",
        },
        "transformer.",
        copies={"lm_head.weight": "wte.weight"},
    ),
    "bert": Architecture(
        _bert,
        _bert_sources,
        (
            *("vocab_size", "max_position_embeddings", "num_hidden_layers", "num_attention_heads", "hidden_size"),
            *("intermediate_size", "type_vocab_size"),
        ),
        (),
        {"hidden_size": "num_attention_heads"},
        {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False},
        prefix="bert.",
        optional=("pooler", "head"),
        copies={
            "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        plain="cls.",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "t5": Architecture(
        _t5,
        _t5_sources,
        ("vocab_size", "num_layers", "num_heads", "d_model", "d_kv", "d_ff"),
        ("num_decoder_layers", "relative_attention_num_buckets"),
        aliases={
            "hidden_size": "d_model",
            "num_attention_heads": "num_heads",
            "num_hidden_layers": "num_layers",
            "head_dim": "d_kv",
        },
        optional=("last",),
        inputs=lambda config: (A_TOKEN, A_TOKEN),
        copies={
            **{f"{stack}.embed_tokens.weight": "shared.weight" for stack in ("encoder", "decoder")},
            "lm_head.weight": "shared.weight",
        },
    ),
}
