"""Checkpoints of Hugging Face's libraries give the outputs that they give there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers

from adl.core import BadInput
from adl.data.safetensors import weights
from adl.nn import pretrained
from adl.nn.llama import frequencies

RNG = np.random.default_rng(0)
TOKEN = RNG.integers(0, 31, (2, 9))
MASK = np.arange(9)[None] < np.array([[9], [6]])
NEAR = {"rtol": 1e-4, "atol": 1e-4}


def randomly(peer):
    """The network with weights large enough that every part of it matters."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape) + (parameter.ndim == 1))
    return peer.eval()


def loaded(peer, folder, **options):
    peer.save_pretrained(folder, **options)
    return pretrained.load(*weights(folder))


@pytest.fixture(scope="module")
def gpt2():
    sizes = {"vocab_size": 31, "n_positions": 16, "n_embd": 12, "n_layer": 2, "n_head": 3}
    return randomly(transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes)))


def test_gpt_2(gpt2, tmp_path):
    model, params, unused = loaded(gpt2, tmp_path)
    got = jax.jit(model.apply)({"params": params}, TOKEN)
    with torch.no_grad():
        want = gpt2(torch.tensor(TOKEN)).logits
    np.testing.assert_allclose(got, want, **NEAR)
    assert not unused


@pytest.mark.parametrize("how", ["without a head", "in parts", "in half precision"])
def test_a_checkpoint_may_be_stored_otherwise(how, gpt2, tmp_path):
    """As older libraries did, in parts, in fewer bits."""
    _, want, _ = loaded(gpt2, tmp_path / "as it is")
    if how == "without a head":
        _, params, unused = loaded(gpt2.transformer, tmp_path)
        assert not unused
    elif how == "in parts":
        _, params, _ = loaded(gpt2, tmp_path, max_shard_size="4KB")
        assert len(list(tmp_path.glob("*.safetensors"))) > 1
    else:
        config, tensors = weights(tmp_path / "as it is")
        _, params, _ = pretrained.load(config, {name: jnp.bfloat16(x) for name, x in tensors.items()})
        want = jax.tree.map(lambda x: x.astype(jnp.bfloat16).astype(jnp.float32), want)
    jax.tree.map(np.testing.assert_array_equal, params, want)


BERT = {
    "vocab_size": 31,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 16,
}


def test_bert(tmp_path):
    """Words in their places, of padded texts in two parts."""
    peer = randomly(transformers.BertForMaskedLM(transformers.BertConfig(**BERT)))
    model, params, unused = loaded(peer, tmp_path)
    segment = (np.arange(9)[None] > 3).repeat(2, 0).astype(np.int32)
    got = jax.jit(model.apply)({"params": params}, TOKEN, mask=MASK, segment=segment)
    with torch.no_grad():
        want = peer(torch.tensor(TOKEN), torch.tensor(MASK), torch.tensor(segment)).logits.numpy()
    np.testing.assert_allclose(got[MASK], want[MASK], **NEAR)
    assert not unused and "pooler" not in params


def test_bert_of_whole_texts(tmp_path):
    """Without a head for words, with the names of norms that the published files have."""
    peer = randomly(transformers.BertModel(transformers.BertConfig(**BERT)))
    peer.save_pretrained(tmp_path)
    config, tensors = weights(tmp_path)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new, name in old.items():
        tensors = {"bert." + k.removeprefix("bert.").replace(new, name): v for k, v in tensors.items()}
    extra = {"cls.seq_relationship.bias": np.zeros(2)}
    model, params, unused = pretrained.load(config, {**tensors, **extra})
    h = model.apply({"params": params}, TOKEN, method="encode")
    with torch.no_grad():
        want = peer(torch.tensor(TOKEN))
    np.testing.assert_allclose(h, want.last_hidden_state, **NEAR)
    np.testing.assert_allclose(model.apply({"params": params}, h, method="pool"), want.pooler_output, **NEAR)
    assert unused == ("cls.seq_relationship.bias",) and "head" not in params


T5 = {
    "vocab_size": 31,
    "d_model": 12,
    "d_kv": 5,
    "d_ff": 20,
    "num_layers": 2,
    "num_decoder_layers": 1,
    "num_heads": 3,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 6,
}
SECOND = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}


@pytest.mark.parametrize("options", [{}, SECOND], ids=["first", "1.1"])
def test_t5(options, tmp_path):
    """Its logits at once, and from a cache that holds what it read."""
    peer = randomly(transformers.T5ForConditionalGeneration(transformers.T5Config(**T5, **options)))
    model, params, unused = loaded(peer, tmp_path)
    assert not unused
    target = RNG.integers(0, 31, (2, 7))
    with torch.no_grad():
        want = peer(torch.tensor(TOKEN), torch.tensor(MASK), decoder_input_ids=torch.tensor(target)).logits
    got = jax.jit(model.apply)({"params": params}, TOKEN, target, source_mask=MASK)
    np.testing.assert_allclose(got, want, **NEAR)
    if not options:
        memory = model.apply({"params": params}, TOKEN, mask=MASK, method="encode")

        @jax.jit
        def decode(token, memory, memory_mask, cache):
            given = {"memory_mask": memory_mask, "cache": cache, "method": "decode"}
            return model.apply({"params": params}, token, memory, **given)

        logits, cache = decode(target[:, :3], memory, MASK, model.empty_cache(2, 8, 9))
        np.testing.assert_allclose(logits, want[:, :3], **NEAR)
        for t in range(3, 7):
            logits, cache = decode(target[:, t : t + 1], None, None, cache)
            np.testing.assert_allclose(logits[:, 0], want[:, t], **NEAR)


LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 31}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 30.0, "factor": 4.0, "low_freq_factor": 0.4, "high_freq_factor": 1.5}
LLAMAS = {
    "the first": ("Llama", {}),
    "tied, biased, in groups": (
        "Llama",
        {"num_key_value_heads": 2, "tie_word_embeddings": True, "attention_bias": True},
    ),
    "stretched": (
        "Llama",
        {"head_dim": 6, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 50.0}},
    ),
    "3.1": ("Llama", {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": 8}, "num_key_value_heads": 1}),
    "mistral": ("Mistral", {"sliding_window": 4, "num_key_value_heads": 2}),
}


@pytest.mark.parametrize("which", LLAMAS)
def test_llama(which, tmp_path):
    """At once and from a cache, of padded texts; and the checkpoint that is written again."""
    kind, options = LLAMAS[which]
    config = getattr(transformers, f"{kind}Config")(**LLAMA, **options, max_position_embeddings=40)
    peer = randomly(getattr(transformers, f"{kind}ForCausalLM")(config))
    model, params, unused = loaded(peer, tmp_path)
    assert not unused
    with torch.no_grad():
        want = peer(torch.tensor(TOKEN), torch.tensor(MASK)).logits.numpy()
    apply = jax.jit(model.apply)
    np.testing.assert_allclose(apply({"params": params}, TOKEN, mask=MASK)[MASK], want[MASK], **NEAR)
    logits, cache = apply({"params": params}, TOKEN[:1, :5], cache=model.empty_cache(1))
    for t in range(5, 9):
        np.testing.assert_allclose(logits[0, -1], want[0, t - 1], **NEAR)
        logits, cache = apply({"params": params}, TOKEN[:1, t : t + 1], cache=cache)
    config, tensors = weights(tmp_path)
    again = pretrained.checkpoint_of(config, params)
    assert again.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(again[name], tensor, err_msg=name)


def test_llama_as_older_libraries_wrote_it():
    """Frequencies beside each other in config.json, as Transformers reads them."""
    said = {key: value for key, value in LLAMA3.items() if key != "rope_theta"} | {
        "original_max_position_embeddings": 8
    }
    new = {"rope_parameters": {**said, "rope_theta": 30.0}}
    for kind in ({"rope_type": "llama3"}, {"type": "llama3"}):
        old = {"rope_theta": 30.0, "rope_scaling": {**{k: v for k, v in said.items() if k != "rope_type"}, **kind}}
        np.testing.assert_array_equal(frequencies(old, 4), frequencies(new, 4))
    with torch.no_grad():
        peer = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA, **new)).model.rotary_emb
    np.testing.assert_allclose(frequencies(new, 4), peer.inv_freq, rtol=1e-6)


ODD_LLAMA = [
    ({"num_key_value_heads": 3}, "num_key_value_heads 3 does not divide num_attention_heads 4"),
    ({"head_dim": 3}, "head_dim 3: .* must be even"),
    ({"mlp_bias": True}, "mlp_bias true: this variant of llama is not computed here"),
    ({"tie_word_embeddings": "no"}, "tie_word_embeddings .*: it must be true or false"),
    ({"tie_word_embeddings": True}, "tensor lm_head.weight is not equal to embed_tokens.weight"),
    ({"max_position_embeddings": 0}, "max_position_embeddings 0: it must be a whole number"),
    ({"sliding_window": -1}, "sliding_window -1: it must be a whole number"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "rope_parameters .*: of these, default, linear and"),
    ({"rope_parameters": {"rope_type": "linear"}}, "factor null: it must be a number above 0"),
    ({"rope_parameters": {**LLAMA3, "low_freq_factor": 2.0}}, "low_freq_factor 2.0: it must be below"),
    ({"rope_parameters": [1]}, "rope_parameters .*: it must hold names and values"),
    ({"rope_parameters": None, "rope_theta": 0}, "rope_theta 0: it must be a number above 0"),
]


def test_odd_llamas_are_refused(tmp_path):
    randomly(transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA))).save_pretrained(tmp_path)
    config, tensors = weights(tmp_path)
    for odd, told in ODD_LLAMA:
        with pytest.raises(BadInput, match=told):
            pretrained.load({**config, **odd}, tensors)
    tensors = {name: tensor for name, tensor in tensors.items() if name != "lm_head.weight"}
    with pytest.raises(BadInput, match="no tensor lm_head.weight, which llama wants"):
        pretrained.load(config, tensors)


def test_relative_buckets_are_t5_s():
    from transformers.models.t5.modeling_t5 import T5Attention

    from adl.nn.encoder_decoder import RelativeBias

    behind = np.arange(-300, 301)
    for direction in ("back", "both"):
        for sizes in ((32, 128), (8, 6), (6, 200), (4, 3), (20, 107), (16, 10_000), (64, 33)):
            want = T5Attention._relative_position_bucket(torch.tensor(-behind), direction == "both", *sizes)
            bias = RelativeBias(1, *sizes, direction)
            np.testing.assert_array_equal(bias.bucket(jnp.asarray(behind)), want, err_msg=f"{sizes} {direction}")


REFUSED = [
    (lambda config, tensors: config.update(model_type="rwkv"), "model_type rwkv: no such architecture here"),
    (lambda config, tensors: config.update(model_type=["gpt2"]), r"model_type \['gpt2'\]: no such architecture here"),
    (lambda config, tensors: config.pop("model_type"), "model_type None: no such architecture here"),
    (lambda config, tensors: config.pop("n_embd"), "config.json of gpt2 has no n_embd"),
    (lambda config, tensors: config.update(activation_function="tan"), "activation_function tan: it must be one"),
    (lambda config, tensors: config.update(activation_function=["relu"]), "activation_function .*: it must be one"),
    (lambda config, tensors: config.update(tie_word_embeddings=False), "tie_word_embeddings false"),
    (lambda config, tensors: config.update(quantization_config={"bits": 4}), "quantization_config .*bits"),
    (lambda config, tensors: config.update(layer_norm_epsilon="1e-5"), "layer_norm_epsilon .*: it must be a number"),
    (lambda config, tensors: config.update(layer_norm_epsilon=float("nan")), "layer_norm_epsilon NaN: it must be"),
    (lambda config, tensors: config.update(hidden_size=24), "hidden_size 24 .* is another name of n_embd: 12"),
    (lambda config, tensors: config.update(n_head=5), "n_head 5 does not divide n_embd 12"),
    (lambda config, tensors: config.update(n_layer=3), "no tensor h.2.attn.c_attn.bias, which gpt2 wants"),
    (lambda config, tensors: config.update(n_inner=20), "h.0.mlp.c_fc.bias does not fit"),
    (lambda config, tensors: tensors.pop("transformer.h.1.ln_2.bias"), "no tensor h.1.ln_2.bias, which gpt2 wants"),
    (lambda config, tensors: tensors.update({"wte.weight": np.zeros((31, 12))}), "wte.weight .* under two names"),
    (
        lambda config, tensors: tensors.update({"lm_head.weight": np.zeros((31, 12), "f")}),
        "lm_head.weight is not equal to wte.weight",
    ),
    (
        lambda config, tensors: tensors.update({"transformer.wpe.weight": np.zeros((16, 12), jnp.float8_e4m3fn)}),
        "wpe.weight is float8_e4m3fn, where a float of 16, 32 or 64 bits is read",
    ),
    (lambda config, tensors: tensors.update({"transformer.wpe.weight": np.zeros((16, 12), "i4")}), "wpe.weight is int"),
    (lambda config, tensors: tensors.update({"transformer.h.0.attn.c_attn.bias": np.zeros(())}), "does not fit"),
    (
        lambda config, tensors: config.update(n_embd=24),
        r"tensor h.0.ln_1.bias does not fit .*LayerNorm_0/bias: .*\(24,\)",
    ),
    *(
        (lambda config, tensors, wrong=wrong: config.update(n_head=wrong), "^n_head .*: it must be a whole number")
        for wrong in (0, -3, 1.5, 3.0, True, "3", None, [3])
    ),
    *(
        (lambda config, tensors, field=field: config.update({field: 10**6}), f"^{field} 1000000: the checkpoint has no")
        for field in ("n_layer", "vocab_size", "n_positions", "n_embd", "n_inner")
    ),
    (lambda config, tensors: config.update(vocab_size=10**30), "^vocab_size 10+: the checkpoint has no"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_does_not_fit_is_told_in_one_line(change, message, saved):
    config, tensors = dict(saved.config), dict(saved.tensors)
    change(config, tensors)
    with pytest.raises(BadInput, match=message) as error:
        pretrained.load(config, tensors)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def saved(gpt2, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    gpt2.save_pretrained(folder)
    return weights(folder)


def test_a_configuration_is_a_mapping(saved):
    with pytest.raises(BadInput, match="a configuration holds names and values: this is a list"):
        pretrained.load([], saved.tensors)


def test_what_says_nothing_is_dropped_only_if_it_is_what_it_should_be(saved):
    mask = np.tril(np.ones((16, 16), bool))[None, None]
    tensors = {**saved.tensors, "h.0.attn.bias": mask, "h.0.attn.masked_bias": np.float32(-1e9)}
    assert not pretrained.load(saved.config, tensors).unused
    spoiled = {"h.0.attn.bias": ~mask, "h.1.attn.bias": np.zeros(3), "h.0.attn.masked_bias": np.float32(0)}
    assert pretrained.load(saved.config, {**tensors, **spoiled}).unused == tuple(sorted(spoiled))
    tied = {**tensors, "lm_head.weight": saved.tensors["transformer.wte.weight"].copy()}
    assert not pretrained.load(saved.config, tied).unused
