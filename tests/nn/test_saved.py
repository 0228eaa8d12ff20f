"""What was read from a checkpoint is written as one again, which Hugging Face's own networks load."""

import jax
import numpy as np
import pytest
import torch
import transformers

from adl.core import BadInput
from adl.data.safetensors import weights, write_weights
from adl.nn import pretrained
from tests.nn.test_pretrained import BERT, SECOND, T5, TOKEN, randomly

GPT2 = {"vocab_size": 31, "n_positions": 16, "n_embd": 12, "n_layer": 2, "n_head": 3}
NEAR = {"rtol": 1e-5, "atol": 1e-5}
READ = torch.tensor(TOKEN)
UNTIED = {"tie_word_embeddings": False}


def logits(network):
    return network(READ).logits


def reply(network):
    return network(READ, decoder_input_ids=READ).logits


CASES = {
    "gpt2": (transformers.GPT2LMHeadModel, transformers.GPT2Config(**GPT2), logits),
    "gpt2, without a head": (
        transformers.GPT2Model,
        transformers.GPT2Config(**GPT2, n_inner=20),
        lambda net: net(READ).last_hidden_state,
    ),
    "bert": (transformers.BertForMaskedLM, transformers.BertConfig(**BERT), logits),
    "bert, of whole texts": (
        transformers.BertModel,
        transformers.BertConfig(**BERT),
        lambda net: net(READ).pooler_output,
    ),
    "t5": (transformers.T5ForConditionalGeneration, transformers.T5Config(**T5), reply),
    "t5 1.1": (transformers.T5ForConditionalGeneration, transformers.T5Config(**T5, **SECOND), reply),
    "t5, not tied": (transformers.T5ForConditionalGeneration, transformers.T5Config(**T5, **UNTIED), reply),
}


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_comes_back_as_it_was(case, tmp_path):
    kind, config, look = CASES[case]
    peer = randomly(kind(config))
    peer.save_pretrained(tmp_path / "theirs")
    config, tensors = weights(tmp_path / "theirs")
    params = pretrained.load(config, tensors).params
    write_weights(tmp_path / "ours", config, pretrained.checkpoint_of(config, params))
    again, told = kind.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(told.values()), told
    with torch.no_grad():
        np.testing.assert_allclose(look(again.eval()), look(peer), **NEAR)


def test_a_head_that_is_a_copy_is_written_where_nothing_is_tied(tmp_path):
    """As version 5 of the library reads a first T5 whose configuration says that its head is its own."""
    peer = randomly(transformers.T5ForConditionalGeneration(transformers.T5Config(**T5)))
    peer.save_pretrained(tmp_path)
    config, tensors = weights(tmp_path)
    config |= UNTIED | {"scale_decoder_outputs": True}
    model, params, unused = pretrained.load(config, {**tensors, "lm_head.weight": tensors["shared.weight"].copy()})
    assert model.head == "tied" and "last" not in params and not unused
    back = pretrained.checkpoint_of(config, params)
    np.testing.assert_array_equal(back["lm_head.weight"], tensors["shared.weight"])
    jax.tree.map(np.testing.assert_array_equal, pretrained.load(config, back).params, params)


def test_parameters_of_another_model_are_refused_in_one_line():
    peer = randomly(transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2)))
    config = peer.config.to_dict()
    params = pretrained.load(config, {name: x.numpy() for name, x in peer.state_dict().items()}).params
    lacks = {name: of for name, of in params.items() if name != "Block_1"}
    wide = {**params, "positions": np.zeros((17, 12), "f")}
    for wrong, message in (
        (
            lambda: pretrained.checkpoint_of(config, lacks),
            "do not have Block_1/LayerNorm_0/bias: they are not those of a gpt",
        ),
        (
            lambda: pretrained.checkpoint_of(config | {"n_layer": 1}, params),
            "have Block_1/LayerNorm_0/bias: they are not",
        ),
        (lambda: pretrained.checkpoint_of(config, wide), r"positions is of shape \(17, 12\), where .* says \(16, 12\)"),
        (lambda: pretrained.checkpoint_of(config | {"n_head": 5}, params), "n_head 5 does not divide"),
        (lambda: pretrained.checkpoint_of({"model_type": "rwkv"}, params), "model_type rwkv: no such architecture"),
    ):
        with pytest.raises(BadInput, match=message) as error:
            wrong()
        assert "\n" not in str(error.value)
