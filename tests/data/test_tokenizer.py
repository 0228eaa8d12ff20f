"""Published tokenisers give the numbers that Hugging Face's own library gives, for every text."""

import json

import numpy as np
import pytest
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from adl.core import BadInput
from adl.data.tokenizer import read_tokenizer

TEXT = "the cat sat on the mat. The dog's ñandú 12 345 naïve, don't\n" * 5
ODD = (
    *("", " ", "the cat", "  two  spaces ", "ñandú 🦤\r\n\t", "a<|endoftext|>b", "\x00", "don't", "İstanbul ﬁ", "\n\n"),
    *("日本語 text", "[CLS] hi [MASK]", "</s> x <extra_id_0> y", "a\u200bb", "e\u0301", "x" * 300, "NAÏVE Cat"),
)
ROOM = {"gpt2": 400, "bert": 120, "t5": 120}


def byte_pairs(folder):
    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    of = {"special_tokens": ["<|endoftext|>"], "initial_alphabet": alphabet, "show_progress": False}
    found.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=300, **of))
    return found


def pieces(folder):
    found = Tokenizer(
        models.Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0), ("cat", -3.0)]
        + [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz.'"], 2)
    )  # fmt: skip
    found.add_special_tokens(["<pad>", "</s>", "<unk>", *(f"<extra_id_{i}>" for i in range(3))])
    split = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    found.pre_tokenizer = pre_tokenizers.Sequence(split)
    found.decoder = decoders.Metaspace(prepend_scheme="always")
    found.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 1)])
    return found


VOCABULARY = [
    *"[PAD] [UNK] [CLS] [SEP] [MASK] the cat ##s sat nan ##du na ##ive ##b a b e 日 本 text hi . , The".split()
]


def words(folder, **options):
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(options))


def write(kind, how, folder):
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    if kind == "bert":
        words(folder, **({"do_lower_case": False, "strip_accents": False} if how == "cased" else {}))
        if how == "tokenizer.json":
            transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
            (folder / "vocab.txt").unlink()
        return
    found = (byte_pairs if kind == "gpt2" else pieces)(folder)
    if how == "vocab.json":
        found.model.save(str(folder))
    else:
        found.enable_truncation(3)
        found.enable_padding(length=5)
        found.save(str(folder / "tokenizer.json"))
    if kind == "t5":
        (folder / "tokenizer_config.json").write_text('{"extra_ids": 3}')


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        *(("gpt2", "tokenizer.json"), ("gpt2", "vocab.json"), ("bert", "vocab.txt"), ("bert", "cased")),
        *(("bert", "tokenizer.json"), ("t5", "tokenizer.json")),
    ],
)
def test_numbers_are_those_of_their_library(kind, how, tmp_path):
    write(kind, how, tmp_path)
    peer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    found = read_tokenizer(tmp_path, {"model_type": kind, "vocab_size": ROOM[kind]})
    for text in ODD:
        want = peer(text)["input_ids"]
        np.testing.assert_array_equal(found.encode(text), want, err_msg=repr(text))
        assert found.decode(want) == peer.decode(want, skip_special_tokens=True), repr(text)
        plain = peer(text, add_special_tokens=False)["input_ids"]
        np.testing.assert_array_equal(found.tokens.encode(text), plain, err_msg=repr(text))
        if kind == "gpt2":
            assert found.tokens.decode(plain) == text
            assert found.tokens.size[plain].sum() == len(text)  # characters, not bytes
    assert len(found.tokens.vocabulary) == len(found.tokens.size) == ROOM[kind]
    assert found.tokens.unit == ("character" if kind == "gpt2" else "token")
    assert found.tokens.encode("").shape == (0,) and found.tokens.encode("").dtype == np.int32
    assert {*found.files} == {path.name for path in tmp_path.iterdir()} - {"config.json"}


def test_the_token_before_a_text_is_the_one_that_the_model_begins_with(tmp_path):
    write("gpt2", "tokenizer.json", tmp_path)
    config = {"model_type": "gpt2", "vocab_size": 400}
    newline = read_tokenizer(tmp_path, config).tokens.encode("\n")[0]
    for given, want in (
        ({}, newline),
        ({"bos_token_id": 7}, 7),
        ({"eos_token_id": 0}, 0),
        ({"bos_token_id": 999}, newline),
    ):
        assert read_tokenizer(tmp_path, config | given).tokens.start == want


def test_tokens_that_were_added_later_keep_their_numbers(tmp_path):
    write("gpt2", "vocab.json", tmp_path)
    first = len(json.loads((tmp_path / "vocab.json").read_text()))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<two>": first + 1, "<one>": first}))
    found = read_tokenizer(tmp_path, {"model_type": "gpt2", "vocab_size": 400})
    np.testing.assert_array_equal(found.encode("<one><two>"), [first, first + 1])
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<one>": first + 3}))
    assert_refused(tmp_path, f"'<one>' cannot have the number {first + 3}")


def assert_refused(folder, message, kind="gpt2", room=400):
    with pytest.raises(BadInput, match=message) as error:
        read_tokenizer(folder, {"model_type": kind, "vocab_size": room})
    assert "\n" not in str(error.value)


def test_a_vocabulary_beyond_the_model_s_is_refused(tmp_path):
    write("gpt2", "tokenizer.json", tmp_path)
    size = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab_size()
    read_tokenizer(tmp_path, {"model_type": "gpt2", "vocab_size": size})
    assert_refused(tmp_path, f"has {size} tokens, where the model has room for {size - 1}", room=size - 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", b"", "tokenizer.json is no tokeniser, or damaged: "),
        ("tokenizer.json", b"\xff\xfe", "tokenizer.json is no tokeniser, or damaged: .*utf-8"),
        ("tokenizer.json", b"{}", "tokenizer.json is no tokeniser, or damaged: "),
        ("tokenizer.json", b"[" * 100_000, "tokenizer.json is no tokeniser, or damaged: "),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}}', "damaged: "),
        ("tokenizer.json", b'{"model": {"type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]}}', "damaged: "),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {}, "merges": []}}', "has no tokens"),
        ("vocab.txt", b"the\ncat\n", r"vocab.txt has no \[UNK\]: it is no vocabulary of BERT"),
        ("vocab.txt", b"\xff", "vocab.txt cannot be read"),
        ("spiece.model", b"\n", "no tokenizer.json in .*; of a sentencepiece model make tokenizer.json, .*save_pre"),
        ("other.txt", b"", "no tokenizer.json in .*, nor vocab.json with merges.txt, nor vocab.txt$"),
    ],
)
def test_what_is_no_tokeniser_is_refused_in_one_line(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path, message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("merges.txt", b"a\n", "vocab.json and merges.txt are no byte pairs, or damaged"),
        ("merges.txt", b"a b c\n", "vocab.json and merges.txt are no byte pairs, or damaged"),
        ("merges.txt", b"\xff", "merges.txt cannot be read"),
        ("vocab.json", b'["a"]', "vocab.json must hold names and values"),
        ("vocab.json", b'{"a": -1}', "vocab.json and merges.txt are no byte pairs, or damaged"),
        ("tokenizer_config.json", b"{", "tokenizer_config.json cannot be read"),
    ],
)
def test_byte_pairs_that_are_none_are_refused_in_one_line(name, content, message, tmp_path):
    write("gpt2", "vocab.json", tmp_path)
    (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path, message)


def test_files_lie_in_the_folder_and_half_characters_are_refused(tmp_path):
    (tmp_path / "in").mkdir()
    write("gpt2", "tokenizer.json", tmp_path)
    (tmp_path / "in" / "tokenizer.json").symlink_to(tmp_path / "tokenizer.json")
    assert_refused(tmp_path / "in", "tokenizer.json is not in .* but elsewhere")
    found = read_tokenizer(tmp_path, {"model_type": "gpt2", "vocab_size": 400})
    with pytest.raises(BadInput, match=r"a text with '\\ud800', which is no character"):
        found.encode("a\ud800")
