"""Folders of Hugging Face's libraries are used in two lines, and say what they say there."""

import json
import textwrap

import jax
import numpy as np
import optax
import pytest
import torch
import transformers

from adl.core import BadInput
from adl.data.tokenizer import own_tokenizer
from adl.sequence import published
from adl.sequence.language import language_model
from tests.data.test_tokenizer import ODD, write
from tests.nn.test_pretrained import randomly

PROMPTS = ["the cat sat on", "The", "", "the dog's ñandú"]
KINDS = {
    "gpt2": (
        transformers.GPT2LMHeadModel,
        transformers.GPT2Config(
            vocab_size=300, n_positions=40, n_embd=12, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=0
        ),
    ),
    "bert": (
        transformers.BertForPreTraining,
        transformers.BertConfig(
            vocab_size=27,
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=20,
            max_position_embeddings=16,
        ),
    ),
    "t5": (
        transformers.T5ForConditionalGeneration,
        transformers.T5Config(
            vocab_size=48, d_model=12, d_kv=4, d_ff=20, num_layers=2, num_heads=3, decoder_start_token_id=0
        ),
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of each kind, of weights so large that texts differ, with its tokeniser."""
    home = tmp_path_factory.mktemp("published")
    for kind, (network, config) in KINDS.items():
        folder = home / kind
        folder.mkdir()
        write(kind, "tokenizer.json", folder)
        peer = randomly(network(config))
        if kind == "gpt2":
            with torch.no_grad():
                peer.transformer.wte.weight *= 4
        peer.save_pretrained(folder)
    return home


def theirs(home, kind, network=None):
    peer = (network or KINDS[kind][0]).from_pretrained(home / kind).eval()
    return peer, transformers.AutoTokenizer.from_pretrained(home / kind)


def test_the_lines_of_the_docstring(home, monkeypatch):
    """As they stand there."""
    monkeypatch.chdir(home)
    lines = [line for line in published.__doc__.splitlines() if line.startswith("    ") or not line]
    found: dict = {}
    exec(textwrap.dedent("\n".join(lines)), found)
    assert len(found["texts"]) == 2 and all(isinstance(text, str) for text in (*found["texts"], *found["german"]))
    assert found["vectors"].shape == (2, 12) and np.isfinite(found["vectors"]).all() and found["short"]
    got = published.from_folder("gpt2-shrunk").params["positions"]
    np.testing.assert_allclose(got, 0.9 * found["gpt2"].params["positions"], rtol=1e-6)


def test_gpt_2_goes_on_as_there(home):
    peer, tokenizer = theirs(home, "gpt2")
    got = published.from_folder(home / "gpt2").generate(jax.random.key(0), PROMPTS, 12)
    for prompt, text in zip(PROMPTS, got, strict=True):
        token = tokenizer(prompt or "<|endoftext|>", return_tensors="pt")
        made = peer.generate(**token, max_new_tokens=12, do_sample=False, pad_token_id=0)
        new = made[0, token["input_ids"].shape[1] :]
        assert text == tokenizer.decode(new, skip_special_tokens=True), prompt
    assert len(set(got)) > 2


def test_llama_goes_on_as_there_and_is_saved(tmp_path):
    """The pieces that it reads, what it says, and the folder that is written."""
    sizes = {"hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 0, "num_key_value_heads": 1}
    folder, again = tmp_path / "llama", tmp_path / "again"
    folder.mkdir()
    write("gpt2", "tokenizer.json", folder)
    peer = randomly(transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=300, **sizes, **ends)))
    peer.save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = published.from_folder(folder)
    got = found.generate(jax.random.key(0), [PROMPTS[0], PROMPTS[3]], 12)
    for prompt, text in zip([PROMPTS[0], PROMPTS[3]], got, strict=True):
        token = tokenizer(prompt, return_tensors="pt")
        token = {"input_ids": token["input_ids"], "attention_mask": token["attention_mask"]}
        made = peer.generate(**token, max_new_tokens=12, do_sample=False, pad_token_id=0)
        assert text == tokenizer.decode(made[0, token["input_ids"].shape[1] :], skip_special_tokens=True), prompt
    found.save(again)
    other = transformers.AutoModelForCausalLM.from_pretrained(again).eval()
    for name, value in peer.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], value, err_msg=name)


@pytest.mark.parametrize("num_beams", [1, pytest.param(3, marks=pytest.mark.full)])
def test_t5_makes_texts_of_texts_as_there(num_beams, home):
    peer, tokenizer = theirs(home, "t5")
    texts = ["the cat sat.", "a dog's long story about the cat", "x"]
    got = published.from_folder(home / "t5").translate(texts, 9, num_beams=num_beams)
    for text, made in zip(texts, got, strict=True):
        token = tokenizer(text, return_tensors="pt")
        want = peer.generate(**token, max_new_tokens=9, do_sample=False, num_beams=num_beams, early_stopping=False)
        assert made == tokenizer.decode(want[0], skip_special_tokens=True), text
    assert len(set(got)) > 1


def test_bert_and_t5_embed_as_there(home):
    texts = ["the cat sat.", "hi", "日本 text the cat", ""] * 9  # more than are read at once
    for kind, network in (("bert", transformers.BertModel), ("t5", transformers.T5EncoderModel)):
        peer, tokenizer = theirs(home, kind, network)
        found = published.from_folder(home / kind)
        with torch.no_grad():
            seen = [peer(**tokenizer(text, return_tensors="pt")) for text in texts[:4]]
        mean, first = (found.embed(texts, by=by) for by in ("mean", "first"))
        assert mean.shape == (36, 12)
        for i, one in enumerate(seen):
            np.testing.assert_allclose(mean[[i, 32 + i]], [one.last_hidden_state[0].mean(0)] * 2, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(first[i], one.last_hidden_state[0, 0], rtol=1e-4, atol=1e-4)
        if kind == "bert":
            want = torch.cat([one.pooler_output for one in seen])
            np.testing.assert_allclose(found.embed(texts, by="pooled")[:4], want, rtol=1e-4, atol=1e-4)


def test_fine_tuned_it_is_loaded_there_and_says_the_same(home, tmp_path):
    """A few steps on a text, saved: the same logits, the same pieces; the first folder is as it was."""
    found = published.from_folder(home / "gpt2")
    algorithm = language_model(found.model, optax.adam(1e-2), start=found.params)
    token = found.tokenizer.tokens.encode("the cat sat on the mat. " * 4)[None, :33]
    state = algorithm.init(jax.random.key(0), {"token": token})
    jax.tree.map(np.testing.assert_array_equal, state.params, found.params)
    step, losses = jax.jit(algorithm.step), []
    for i in range(5):
        state, metrics = step(jax.random.key(i), state, {"token": token})
        losses.append(float(metrics["loss"].value))
    assert losses[-1] < losses[0] - 0.1
    tuned = found._replace(params=state.params)
    tuned.save(tmp_path / "tuned")
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "tuned").eval()
    with torch.no_grad():
        want = peer(torch.tensor(token[:, :-1])).logits.numpy()
    got = jax.jit(found.model.apply)(state.variables, token[:, :-1])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "tuned")
    assert tokenizer("the ñandú")["input_ids"] == theirs(home, "gpt2")[1]("the ñandú")["input_ids"]
    jax.tree.map(np.testing.assert_array_equal, published.from_folder(tmp_path / "tuned").params, state.params)
    with pytest.raises(BadInput, match="nothing is overwritten"):
        tuned.save(home / "gpt2")


def test_a_network_of_our_own_is_a_gpt_2_there(tmp_path):
    """Its logits, and the byte pairs that it reads."""
    text = "the cat sat on the mat; the dog's ñandú sat\n" * 9
    made = published.new_gpt2(own_tokenizer(text, 270), length=16, num_layers=1, num_heads=2, width=8)
    token = made.tokenizer.encode(text)[None, :16]
    params = made.model.init(jax.random.key(0), token)["params"]
    made._replace(params=params).save(tmp_path / "ours")
    peer = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    with torch.no_grad():
        want = peer(torch.tensor(token)).logits
    np.testing.assert_allclose(made.model.apply({"params": params}, token), want, rtol=1e-5, atol=1e-5)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")
    again = published.from_folder(tmp_path / "ours").tokenizer
    for one in (text, *ODD):
        np.testing.assert_array_equal(made.tokenizer.encode(one), tokenizer(one)["input_ids"], err_msg=repr(one))
        np.testing.assert_array_equal(again.encode(one), made.tokenizer.encode(one), err_msg=repr(one))
    assert again.tokens.vocabulary == made.tokenizer.tokens.vocabulary
    assert again.tokens.start == made.tokenizer.tokens.start
    np.testing.assert_array_equal(again.tokens.size, made.tokenizer.tokens.size)


def test_what_is_stored_in_half_is_saved_whole_with_what_has_no_place(home, tmp_path):
    peer, _ = theirs(home, "bert")
    peer.half().save_pretrained(tmp_path / "half")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "half" / name).write_bytes((home / "bert" / name).read_bytes())
    found = published.from_folder(tmp_path / "half")
    assert {*found.others} == {"cls.seq_relationship.weight", "cls.seq_relationship.bias"}
    found.save(tmp_path / "whole")
    again, told = transformers.BertForPreTraining.from_pretrained(tmp_path / "whole", output_loading_info=True)
    assert not any(told.values()) and again.dtype == torch.float32
    for name, value in again.state_dict().items():
        np.testing.assert_array_equal(value, peer.state_dict()[name].float(), err_msg=name)
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["dtype"] == "float32"


def test_what_cannot_be_asked_is_told_in_one_line(home):
    key = jax.random.key(0)
    gpt2, bert, t5 = (published.from_folder(home / kind) for kind in KINDS)
    for wrong, message in (
        (lambda: bert.generate(key, ["a"], 3), "generate: bert does not; it can embed"),
        (lambda: gpt2.embed(["a"]), "embed: gpt2 does not; it can generate"),
        (lambda: gpt2.translate(["a"], 3), "translate: gpt2 does not"),
        (lambda: t5.embed(["a"], by="pooled"), "this checkpoint has no such layer"),
        (lambda: bert.embed(["a"], by="means"), "it must be one of mean, first, pooled; did you mean mean"),
        (lambda: bert.embed(["a", "a " * 20]), "text 1 has 22 tokens: the model sees 16; cut it"),
        (lambda: gpt2.generate(key, ["a" * 39], 3), "a prompt of 39 tokens and 3 new ones: the model sees 40; cut"),
        (lambda: gpt2.generate(key, ["a"], 0), "there must be 1 or more"),
        (lambda: gpt2.generate(key, "a", 3), "texts are given as a list of one or more"),
        (lambda: gpt2.generate(key, [], 3), "texts are given as a list of one or more"),
        (lambda: t5.translate(["a", None], 3), "texts are given as a list of one or more"),
        (lambda: t5.translate(["a"], 3, num_beams=0), "0 beams: there must be 1 or more"),
        (lambda: published.from_folder(home), "no config.json in"),
    ):
        with pytest.raises(BadInput, match=message) as error:
            wrong()
        assert "\n" not in str(error.value)
