"""Other people's tokenisers: the pieces that a published model reads a text in.

A folder as Hugging Face's libraries write has `tokenizer.json`, which says all, and is read by the library
`tokenizers`. Where it is missing, GPT-2's `vocab.json` and `merges.txt` or BERT's `vocab.txt` are read as these models
read them. What the file says of cutting and padding texts is not done: no text is cut silently.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adl.core import BadInput, first_line
from adl.data.safetensors import enclosed
from adl.data.tokens import Tokens, byte_pairs, letters, trained_pairs

# What other libraries want beside the weights, to read texts in the same pieces.
FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("merges.txt", "vocab.txt", "spiece.model", "generation_config.json"),
)
# Tokens that mean something, in the words of `tokenizer_config.json`, and what they are where it says nothing.
SPECIAL: dict[str, dict[str, str]] = {
    "gpt2": dict.fromkeys(("unk_token", "bos_token", "eos_token"), "<|endoftext|>"),
    "bert": {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")},
    "t5": {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
}
CONVERT = (
    'of a sentencepiece model make tokenizer.json, where transformers and sentencepiece are: python -c "from '
    "transformers import AutoTokenizer as A; A.from_pretrained('{0}').save_pretrained('{0}')\""
)


class Tokenizer(NamedTuple):
    """How a model reads and writes texts."""

    encode: Callable[[str], np.ndarray]  # text -> [N] int32, with the tokens that the model wants around a text
    decode: Callable[[Sequence[int]], str]  # and back, without these
    tokens: Tokens  # the same of a piece of a longer text: nothing is put around it, nothing left out
    files: Mapping[str, bytes]  # it was read from, and what lies beside them, to be written again as they are


def read_tokenizer(path: str | Path, config: Mapping[str, Any]) -> Tokenizer:
    """The tokeniser of a checkpoint.

    Args:
      path: as in `safetensors.weights`.
      config: of its config.json, with the `vocab_size` that the model has room for.
    Raises:
      BadInput: if there is none, or it is damaged, lies elsewhere, or has tokens that the model does not know.
    """
    files = {name: content for name in FILES if (content := enclosed(path, name)) is not None}
    kind = config.get("model_type")
    options = _object(files, "tokenizer_config.json")
    if "tokenizer.json" in files:
        found = _parsed(files["tokenizer.json"])
    elif {"vocab.json", "merges.txt"} <= files.keys():
        found = _gpt2(files, options)
    elif "vocab.txt" in files:
        found = _bert(files["vocab.txt"], options)
    else:
        how = f"; {CONVERT.format(path)}" if "spiece.model" in files else ""
        raise BadInput(f"no tokenizer.json in {path}, nor vocab.json with merges.txt, nor vocab.txt{how}")
    found.no_truncation()
    found.no_padding()
    _know_special(found, {**SPECIAL.get(kind, {}), **_object(files, "special_tokens_map.json"), **options})
    size, room = max(found.get_vocab(True).values(), default=-1) + 1, config.get("vocab_size")
    if not size:
        raise BadInput(f"the tokeniser in {path} has no tokens")
    if size > room:
        raise BadInput(f"the tokeniser in {path} has {size} tokens, where the model has room for {room} (vocab_size)")

    def encode(text: str) -> np.ndarray:
        return np.array(found.encode(_sound(text)).ids, np.int32)

    def decode(tokens: Sequence[int]) -> str:
        return found.decode([int(token) for token in tokens], skip_special_tokens=True)

    return Tokenizer(encode, decode, _of_corpus(found, config), files)


def own_tokenizer(text: str, vocab_size: int) -> Tokenizer:
    """The byte pairs of a training text as a tokeniser that other libraries read.

    Args:
      text: training text, not empty.
      vocab_size: as in `tokens.byte_pairs`.
    """
    tokens = byte_pairs(text, vocab_size)
    says = {"tokenizer_class": "PreTrainedTokenizerFast"}  # what tokenizer.json says, and no more
    files = {"tokenizer.json": trained_pairs(text, vocab_size).to_str(), "tokenizer_config.json": json.dumps(says)}
    return Tokenizer(tokens.encode, tokens.decode, tokens, {name: text.encode() for name, text in files.items()})


def _of_corpus(found, config: Mapping[str, Any]) -> Tokens:
    """Tokens of a running text, of as many as the model has room for."""
    words = [found.id_to_token(token) for token in range(config["vocab_size"])]
    added = {token.content for token in found.get_added_tokens_decoder().values()}
    byte = {letter: value for value, letter in enumerate(letters())}
    is_of_bytes = "ByteLevel" in json.dumps(json.loads(found.to_str())["decoder"])

    def encode(text: str) -> np.ndarray:
        return np.array(found.encode(_sound(text), add_special_tokens=False).ids, np.int32)

    def decode(tokens: Sequence[int]) -> str:
        return found.decode([int(token) for token in tokens], skip_special_tokens=False)

    def spelled(word: str | None) -> tuple[str, int]:
        """A token's text, and its characters."""
        if word is None or word in added or not is_of_bytes or not set(word) <= byte.keys():
            return word or "", len(word or "")
        value = bytes(byte[letter] for letter in word)
        return value.decode(errors="replace"), sum(one & 0xC0 != 0x80 for one in value)

    vocabulary, sizes = zip(*map(spelled, words), strict=True)
    start = next((i for i in (config.get("bos_token_id"), config.get("eos_token_id")) if type(i) is int), None)
    if start is None or not 0 <= start < len(words):
        start = int((*encode("\n"), 0)[0])
    size = np.array(sizes if is_of_bytes else [1] * len(words), np.float32)
    return Tokens(encode, decode, vocabulary, size, start, "character" if is_of_bytes else "token")


def _parsed(content: bytes):
    import tokenizers

    try:
        return tokenizers.Tokenizer.from_str(content.decode())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # of no class of its own; the library is no Python, and its panics are none either
        raise BadInput(f"tokenizer.json is no tokeniser, or damaged: {first_line(error)}") from None


def _gpt2(files: Mapping[str, bytes], options: Mapping[str, Any]):
    """Of `vocab.json` and `merges.txt`: byte pairs as GPT-2 reads them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = _object(files, "vocab.json")
    lines = _text(files, "merges.txt").split("\n")
    lines = lines[1:] if lines[0].startswith("#version") else lines
    merges = [tuple(line.split(" ")) for line in lines if line]
    try:
        found = Tokenizer(models.BPE(vocabulary, merges))
    except Exception as error:
        raise BadInput(f"vocab.json and merges.txt are no byte pairs, or damaged: {first_line(error)}") from None
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(options.get("add_prefix_space", False)))
    found.decoder = decoders.ByteLevel()
    added = _object(files, "added_tokens.json")
    for word in sorted(added, key=lambda word: str(added[word])):
        found.add_tokens([word])
    if wrong := [word for word in added if found.token_to_id(word) != added[word]]:
        raise BadInput(f"added_tokens.json: token {wrong[0]!r} cannot have the number {added[wrong[0]]}")
    return found


def _bert(content: bytes, options: Mapping[str, Any]):
    """Of `vocab.txt`: pieces of words as BERT reads them."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    words = _text({"vocab.txt": content}, "vocab.txt").removesuffix("\n").split("\n")
    number = {word: index for index, word in enumerate(words)}
    special = {**SPECIAL["bert"], **{name: _word(options[name]) for name in SPECIAL["bert"] if options.get(name)}}
    unknown, first, last = (special[f"{name}_token"] for name in ("unk", "cls", "sep"))
    if missing := [word for word in (unknown, first, last) if word not in number]:
        raise BadInput(f"vocab.txt has no {missing[0]}: it is no vocabulary of BERT, or damaged")
    found = Tokenizer(models.WordPiece(number, unk_token=unknown))
    found.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=options.get("tokenize_chinese_chars", True),
        strip_accents=options.get("strip_accents"),
        lowercase=options.get("do_lower_case", True),
    )
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found.decoder = decoders.WordPiece(prefix="##")
    found.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(first, number[first]), (last, number[last])],
    )
    return found


def _know_special(found, words: Mapping[str, Any]) -> None:
    """Has the tokens that mean something read as one, where the vocabulary has them."""
    from tokenizers import AddedToken

    known = {token.content for token in found.get_added_tokens_decoder().values()}
    named = {_word(word) for name, word in words.items() if name in {k for kind in SPECIAL.values() for k in kind}}
    for word in sorted(named - known - {""}):
        if found.token_to_id(word) is not None:
            found.add_special_tokens([AddedToken(word, normalized=False, special=True)])


def _word(word: Any) -> str:
    """A token, as those files have them: alone, or as the `content` of more that is said of it."""
    word = word.get("content") if isinstance(word, Mapping) else word
    return word if isinstance(word, str) else ""


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """What a file of names and values says; nothing where there is none."""
    try:
        found = json.loads(files.get(name, b"{}"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} cannot be read: {first_line(error)}") from None
    if not isinstance(found, dict):
        raise BadInput(f"{name} must hold names and values")
    return found


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} cannot be read: {first_line(error)}") from None


def _sound(text: str) -> str:
    """A text that can be written down.

    Raises:
      BadInput: for half a character.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"a text with {text[error.start : error.end]!r}, which is no character") from None
    return text
