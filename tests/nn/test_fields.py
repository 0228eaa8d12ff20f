"""Each field of a configuration, set to another value: what Hugging Face computes of it is computed, or refused."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers

from adl.core import BadInput
from adl.data.safetensors import weights
from adl.nn import pretrained

RNG = np.random.default_rng(0)
TOKEN = RNG.integers(0, 17, (2, 9))
MASK = np.arange(9)[None] < np.array([[9], [6]])
SEGMENT = (np.arange(9)[None] > 3).repeat(2, 0).astype(np.int32)

SIZES = {
    "gpt2": {"vocab_size": 17, "n_positions": 16, "n_embd": 12, "n_layer": 2, "n_head": 3},
    "bert": {
        **{"vocab_size": 17, "hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 3},
        **{"intermediate_size": 20, "max_position_embeddings": 16},
    },
    "t5": {
        **{"vocab_size": 17, "d_model": 12, "d_kv": 5, "d_ff": 20, "num_layers": 1, "num_heads": 3},
        **{"relative_attention_num_buckets": 8, "relative_attention_max_distance": 6},
    },
}
CONFIGS = {"gpt2": transformers.GPT2Config, "bert": transformers.BertConfig, "t5": transformers.T5Config}
NETWORKS = {
    "gpt2": transformers.GPT2LMHeadModel,
    "bert": transformers.BertForMaskedLM,
    "t5": transformers.T5ForConditionalGeneration,
}
# Of every network: of its words and labels, of what it returns, of how it is stored.
COMMON = {
    **{"architectures": ["Other"], "output_hidden_states": True, "return_dict": False, "dtype": "bfloat16"},
    **{"chunk_size_feed_forward": 3, "id2label": {0: "a"}, "label2id": {"a": 0}, "problem_type": "regression"},
    **{"use_cache": False, "bos_token_id": 3, "eos_token_id": 4, "pad_token_id": 5, "output_attentions": True},
    **{"_name_or_path": "other", "transformers_version": "4.0.0"},
}
# What only the last of these refuse: that is told by the field's name.
OTHER = {
    "gpt2": {
        **COMMON,
        **{"vocab_size": 19, "n_positions": 11, "n_embd": 18, "n_layer": 1, "n_head": 2, "n_inner": 7},
        **{"activation_function": "gelu", "resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5},
        **{"layer_norm_epsilon": 0.1, "initializer_range": 0.1, "summary_type": "mean", "summary_use_proj": False},
        **{"summary_activation": "tanh", "summary_proj_to_labels": False, "summary_first_dropout": 0.5},
        **{"reorder_and_upcast_attn": True, "is_encoder_decoder": True},
        **{"scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True, "add_cross_attention": True},
        **{"tie_word_embeddings": False},
    },
    "bert": {
        **COMMON,
        **{"vocab_size": 19, "hidden_size": 18, "num_hidden_layers": 2, "num_attention_heads": 2},
        **{"intermediate_size": 7, "hidden_act": "relu", "hidden_dropout_prob": 0.5},
        **{"attention_probs_dropout_prob": 0.5, "max_position_embeddings": 11, "type_vocab_size": 3},
        **{"initializer_range": 0.1, "layer_norm_eps": 0.1, "classifier_dropout": 0.5, "is_encoder_decoder": True},
        **{"is_decoder": True, "add_cross_attention": True, "tie_word_embeddings": False},
    },
    "t5": {
        **COMMON,
        **{"vocab_size": 19, "d_model": 18, "d_kv": 4, "d_ff": 7, "num_layers": 2, "num_decoder_layers": 2},
        **{"num_heads": 2, "relative_attention_num_buckets": 10, "relative_attention_max_distance": 20},
        **{"dropout_rate": 0.5, "layer_norm_epsilon": 0.1, "initializer_factor": 0.5, "is_encoder_decoder": False},
        **{"feed_forward_proj": "gated-gelu", "classifier_dropout": 0.5, "is_decoder": True},
        **{"dense_act_fn": "silu", "is_gated_act": True, "scale_decoder_outputs": False},
        **{"tie_word_embeddings": False},
    },
}
MUST_BE_REFUSED = {
    "gpt2": {"scale_attn_weights", "scale_attn_by_inverse_layer_idx", "add_cross_attention", "tie_word_embeddings"},
    "bert": {"is_decoder", "add_cross_attention", "tie_word_embeddings"},
    "t5": set(),
}
FEW = {
    "gpt2": ("layer_norm_epsilon", "scale_attn_weights", "n_inner", "dtype"),
    "bert": ("hidden_act", "tie_word_embeddings", "pad_token_id"),
    "t5": ("feed_forward_proj", "dense_act_fn", "tie_word_embeddings", "relative_attention_num_buckets"),
}


def every_field():
    for kind, fields in OTHER.items():
        for field in fields:
            yield pytest.param(kind, field, marks=[] if field in FEW[kind] else [pytest.mark.full])


def saved(kind, folder, **changes):
    """A network with weights large enough that every part of it matters."""
    peer = NETWORKS[kind](CONFIGS[kind](attn_implementation="eager", **SIZES[kind] | changes))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape) + (parameter.ndim == 1))
    peer.save_pretrained(folder)


def theirs(kind, folder) -> np.ndarray:
    peer = NETWORKS[kind].from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    token, mask = torch.tensor(TOKEN), torch.tensor(MASK)
    given = {"t5": {"attention_mask": mask, "decoder_input_ids": token.flip(1)}, "gpt2": {}}
    bert = {"attention_mask": mask, "token_type_ids": torch.tensor(SEGMENT)}
    for part in peer.modules():  # that otherwise do not understand each other
        if hasattr(part, "config"):
            part.config.return_dict = True
    with torch.no_grad():
        return peer(token, use_cache=False, **given.get(kind, bert)).logits.numpy()


def ours(kind, folder) -> np.ndarray:
    model, params, unused = pretrained.load(*weights(folder))
    assert not unused
    given = {"t5": ((TOKEN[:, ::-1],), {"source_mask": MASK}), "gpt2": ((), {})}
    args, options = given.get(kind, ((), {"mask": MASK, "segment": SEGMENT}))
    return model.apply({"params": params}, jnp.asarray(TOKEN), *args, **options)


@pytest.mark.parametrize(("kind", "field"), [*every_field()])
def test_a_field_is_computed_as_there_or_refused_by_name(kind, field, tmp_path):
    """As a network of theirs says it when it is saved, and as its file says it when it is read."""
    value, config = OTHER[kind][field], tmp_path / "config.json"
    is_derived = field in ("dense_act_fn", "scale_decoder_outputs", "is_gated_act", "transformers_version")
    is_derived |= field == "add_cross_attention"  # theirs wants a decoder then
    gates = {"feed_forward_proj": "gated-relu"} if field == "is_gated_act" else {}
    saved(kind, tmp_path, **gates or ({} if is_derived else {field: value}))
    said = json.loads(config.read_text())
    said |= {"feed_forward_proj": "relu"} if field == "is_gated_act" else {}
    config.write_text(json.dumps(said | {field: value}))
    if field in MUST_BE_REFUSED[kind]:
        with pytest.raises(BadInput, match=field):
            ours(kind, tmp_path)
        return
    real = MASK if kind == "bert" else np.ones_like(MASK)
    np.testing.assert_allclose(ours(kind, tmp_path)[real], theirs(kind, tmp_path)[real], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_field_has_another_value(kind):
    fields = CONFIGS[kind](**SIZES[kind]).to_dict()
    assert fields.keys() - {"model_type"} <= OTHER[kind].keys()
    same = [name for name, value in fields.items() if name in OTHER[kind] and OTHER[kind][name] == value]
    assert not same


def test_heads_of_their_own(tmp_path):
    """T5's is read, whatever the configuration says; those of the others are refused, and so are other embeddings."""
    for kind, name in (("t5", "lm_head.weight"), ("t5", "encoder.embed_tokens.weight"), ("gpt2", "lm_head.weight")):
        saved(kind, tmp_path / kind)
        config, tensors = weights(tmp_path / kind)
        shape = tensors["shared.weight" if kind == "t5" else "transformer.wte.weight"].shape
        tensors[name] = RNG.normal(size=shape).astype("f")
        if (kind, name) == ("t5", "lm_head.weight"):
            from safetensors.numpy import save_file

            save_file(tensors, tmp_path / kind / "model.safetensors", {"format": "pt"})
            np.testing.assert_allclose(ours(kind, tmp_path / kind), theirs(kind, tmp_path / kind), rtol=2e-4, atol=2e-4)
        else:
            with pytest.raises(BadInput, match=f"tensor {name} is not equal to"):
                pretrained.load(config, tensors)


@pytest.mark.parametrize("word", [None, 3, "gelu-relu", "gated", "gated-tan", "gated-gated-relu"])
def test_a_perceptron_of_t5_that_is_none_is_refused(word, tmp_path):
    saved("t5", tmp_path)
    config, tensors = weights(tmp_path)
    with pytest.raises(BadInput, match="feed_forward_proj"):
        pretrained.load({**config, "feed_forward_proj": word}, tensors)


@pytest.mark.parametrize(("buckets", "distance"), [(2, 20), (8, 4), (8, 1), (8, None), (8, 20.0)])
def test_buckets_that_are_none_are_refused(buckets, distance, tmp_path):
    saved("t5", tmp_path)
    config, tensors = weights(tmp_path)
    sizes = {"relative_attention_num_buckets": buckets, "relative_attention_max_distance": distance}
    with pytest.raises(BadInput, match="relative_attention_num_buckets"):
        pretrained.load({**config, **sizes}, tensors)
