"""LLaMA, and what is built like it: how its configuration is read, and which tensor each parameter comes from."""

import functools
from collections.abc import Mapping

import numpy as np

from adl.core import BadInput, PyTree
from adl.nn.fields import Config, activation, epsilon, flag, positive_number, told, whole_number
from adl.nn.tensors import From, Tensors, of_linear, of_matrix
from adl.nn.transformer import GPT, rms_norm, swiglu


def llama(config: Config, tensors: Tensors) -> GPT:
    """The network of a configuration of LLaMA (all versions) or Mistral, as Hugging Face's computes it.

    Args:
      config: as in config.json.
      tensors: of the checkpoint, which are not looked at.
    Raises:
      BadInput: for what it cannot be; one line.

    Source: Touvron et al. 2023, arXiv:2302.13971, section 2.2.
    """
    del tensors
    heads, width = config["num_attention_heads"], config["hidden_size"]
    groups, dim = config.get("num_key_value_heads") or heads, config.get("head_dim") or width // heads
    if heads % groups:
        raise BadInput(f"num_key_value_heads {groups} does not divide num_attention_heads {heads}")
    if dim % 2:
        raise BadInput(f"head_dim {dim}: rotary positions turn pairs, so it must be even")
    feedforward = functools.partial(
        swiglu, hidden=config["intermediate_size"], activation=activation(config, "hidden_act", "silu"), use_bias=False
    )
    return GPT(
        config["vocab_size"],
        whole_number(config, "max_position_embeddings", 2048),
        config["num_hidden_layers"],
        heads,
        width,
        position="rotary",
        num_kv_heads=groups,
        window=None if config.get("sliding_window") is None else whole_number(config, "sliding_window", 1),
        use_bias=flag(config, "attention_bias", False),
        feedforward=feedforward,
        norm=functools.partial(rms_norm, epsilon=epsilon(config, "rms_norm_eps", 1e-6)),
        head_dim=dim,
        frequency=tuple(frequencies(config, dim).tolist()),
        head="tied" if flag(config, "tie_word_embeddings", False) else "own",
    )


def llama_sources(config: Config) -> PyTree:
    """Which tensor each parameter of `llama` is read from."""
    dense = of_linear if flag(config, "attention_bias", False) else of_matrix

    def block(i: int) -> PyTree:
        name, parts = f"layers.{i}", {"query": "q", "key": "k", "value": "v", "out": "o"}
        return {
            "RMSNorm_0": {"scale": From(f"{name}.input_layernorm.weight")},
            "MultiHeadAttention_0": {ours: dense(f"{name}.self_attn.{its}_proj") for ours, its in parts.items()},
            "RMSNorm_1": {"scale": From(f"{name}.post_attention_layernorm.weight")},
            "GatedMLP_0": {part: of_matrix(f"{name}.mlp.{part}_proj") for part in ("gate", "up", "down")},
        }

    own = {} if flag(config, "tie_word_embeddings", False) else {"head": of_matrix("lm_head")}
    return {
        "tokens": {"embedding": From("embed_tokens.weight")},
        **{f"Block_{i}": block(i) for i in range(config["num_hidden_layers"])},
        "RMSNorm_0": {"scale": From("norm.weight")},
        **own,
    }


def frequencies(config: Config, dim: int) -> np.ndarray:
    """`[d/2]` of rotary positions, radians a position, with what makes them slower for longer texts.

    Stretched linearly, all are divided by a factor: Chen et al. 2023, arXiv:2306.15595. As in LLaMA 3.1, those are
    whose wave is longer than a text of training divided by `low_freq_factor`; none is whose wave is shorter than one
    divided by `high_freq_factor`; between them it is a mixture of both, linear in the number of waves a text has.

    Args:
      config: with `rope_parameters`, as newer libraries write it, or `rope_theta` and `rope_scaling`, as older do.
      dim: d of a head, even.
    Raises:
      BadInput: for a kind that is not computed here, or a number that it cannot be.
    """
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(given, Mapping):
        raise BadInput(f"rope_parameters {told(given)}: it must hold names and values")
    of = {"rope_theta": config.get("rope_theta", 1e4), **given}
    kind = of.get("rope_type", of.get("type", "default"))
    if kind not in ("default", "linear", "llama3") or of.get("partial_rotary_factor", 1.0) != 1.0:
        raise BadInput(f"rope_parameters {told(of)}: of these, default, linear and llama3 are computed here")
    plain = positive_number(of, "rope_theta") ** -(np.arange(0, dim, 2) / dim)
    if kind == "default":
        return plain
    slow = plain / positive_number(of, "factor")
    if kind == "linear":
        return slow
    low, high = positive_number(of, "low_freq_factor"), positive_number(of, "high_freq_factor")
    if low >= high:
        raise BadInput(f"low_freq_factor {low}: it must be below high_freq_factor {high}")
    waves = positive_number(of, "original_max_position_embeddings") * plain / (2 * np.pi)
    return slow + (plain - slow) * np.clip((waves - low) / (high - low), 0, 1)
