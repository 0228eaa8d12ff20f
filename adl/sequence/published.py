"""Published language models in two lines: texts in; texts, or what is known of texts, out.

GPT-2, LLaMA and Mistral go on with texts, by whatever way of decoding; BERT, and T5's encoder, embed them; T5 makes
texts of texts, by the task that its input begins with. Each is a folder as Hugging Face's libraries write it:

    import jax
    from adl.sequence import published
    from adl.sequence.decode import drawn, nucleus, temperature

    gpt2 = published.from_folder("gpt2")
    texts = gpt2.generate(jax.random.key(0), ["Once upon a time", "It was"], 8, choose=drawn(temperature(0.8)))

    bert = published.from_folder("bert")
    vectors = bert.embed(["A cat sat on a mat.", "A dog lay on a rug."])  # [2, D]

    t5 = published.from_folder("t5")
    german = t5.translate(["translate English to German: The house is wonderful."], 8, num_beams=4)
    short = t5.translate(["summarize: It was the best of times, it was the worst of times."], 8)

What was trained on goes back into such a folder, which `transformers` loads (`language_model` fine-tunes; from the
command line `python -m experiments.sequence.finetune --weights gpt2`):

    gpt2._replace(params=jax.tree.map(lambda x: 0.9 * x, gpt2.params)).save("gpt2-shrunk")
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import unflatten_dict
from jax import Array

from adl import data
from adl.core import BadInput, Key, PyTree, did_you_mean, probe
from adl.data.safetensors import note_weights, weights, write_weights
from adl.data.tokenizer import FILES, Tokenizer, read_tokenizer
from adl.nn import pretrained
from adl.nn.architectures import ARCHITECTURES
from adl.nn.encoder import BERT
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.sequence_classifier import over_time
from adl.nn.transformer import GPT
from adl.sequence.beam import beam_search
from adl.sequence.decode import Choose, generate, greedy, reading
from adl.sequence.translation import reader_of

Pooling = Literal["mean", "first", "pooled"]  # of all tokens, of the first, of the first by BERT's own last layer
AT_ONCE = 32  # texts that are embedded side by side


class Published(NamedTuple):
    """A language model, its weights, and how it reads texts."""

    config: Mapping[str, Any]  # as config.json says
    model: nn.Module  # `GPT`, `BERT` or `EncoderDecoder`
    params: PyTree  # float32; None of a network that has not learned anything
    others: Mapping[str, np.ndarray]  # tensors of the checkpoint that the model has no place for, saved as they are
    tokenizer: Tokenizer

    def generate(self, key: Key, prompts: Sequence[str], num_tokens: int, *, choose: Choose = greedy) -> list[str]:
        """What GPT-2 or LLaMA goes on with, without the prompts, up to where it ends a text.

        Args:
          key: consumed.
          prompts: B of them; an empty one is the beginning of a text.
          num_tokens: N >= 1, the most tokens of a text.
          choose: picks each next token: `greedy`, `drawn(temperature(0.8), nucleus(0.95))` ...
        Raises:
          BadInput: if the model is another, or prompt and text are longer than it sees.
        """
        self._require("generate", GPT)
        start = np.array([self.tokenizer.tokens.start], np.int32)
        rows = [row if len(row) else start for row in self._read(prompts)]
        longest = max(map(len, rows)) + num_tokens - 1
        if longest > self.model.max_length:
            raise BadInput(
                f"a prompt of {longest - num_tokens + 1} tokens and {num_tokens} new ones: the model sees "
                f"{self.model.max_length}; cut the prompt or ask for fewer"
            )
        token, mask = data.ragged.pad(rows)
        made = _going_on(self.model, num_tokens, choose, self._stop)(key, self.variables, token, mask > 0)
        return self._written(*made)

    def translate(self, texts: Sequence[str], num_tokens: int, *, num_beams: int = 1) -> list[str]:
        """What T5 makes of texts, which begin with the task: "translate English to German: ", "summarize: " ...

        Args:
          texts: B of them.
          num_tokens: N >= 1, the most tokens of a text that is made.
          num_beams: >= 1; 1 is greedy, more search as `beam_search` does.
        Raises:
          BadInput: if the model is another.
        """
        self._require("translate", EncoderDecoder)
        token, mask = data.ragged.pad(self._read(texts))
        start = self.config.get("decoder_start_token_id")
        start = (self.config.get("pad_token_id") or 0) if start is None else start
        made = _replying(self.model, num_tokens, num_beams, start, self._stop)(self.variables, token, mask > 0)
        return self._written(*made)

    def embed(self, texts: Sequence[str], *, by: Pooling = "mean") -> np.ndarray:
        """`[N, D]` vectors of texts, by BERT or by T5's encoder.

        Args:
          texts: N of them.
          by: which of the tokens' vectors: their "mean", the "first", or the "pooled" first of a BERT that has it.
        Raises:
          BadInput: if the model is another or has no such layer, or a text is longer than it sees.
        """
        self._require("embed", BERT, EncoderDecoder)
        if by not in (ways := get_args(Pooling)):
            raise BadInput(f"embed(by={by!r}): it must be one of {', '.join(ways)}{did_you_mean(str(by), ways)}")
        if by == "pooled" and "pooler" not in self.params:
            raise BadInput("embed(by='pooled'): this checkpoint has no such layer; there are mean and first")
        rows = self._read(texts)
        longest, room = max(map(len, rows)), getattr(self.model, "max_length", np.inf)
        if longest > room:
            raise BadInput(
                f"text {[*map(len, rows)].index(longest)} has {longest} tokens: the model sees {room}; cut it"
            )
        token, mask = data.ragged.pad(rows)
        short = -len(rows) % min(AT_ONCE, len(rows))
        token, mask = (np.concatenate([x, x[:1].repeat(short, 0)]) for x in (token, mask > 0))
        embed, parts = _embedding(self.model, by), len(token) // min(AT_ONCE, len(rows))
        found = [
            embed(self.variables, *part) for part in zip(np.split(token, parts), np.split(mask, parts), strict=True)
        ]
        return np.concatenate(found)[: len(rows)]

    def tuned(self, arrays: Mapping[str, np.ndarray]) -> "Published":
        """The same with other parameters, by their paths: "Block_0/LayerNorm_0/bias"."""
        return self._replace(params=unflatten_dict(arrays, sep="/"))

    def save(self, path: str | Path) -> Path:
        """A new folder of all this, which `from_folder` opens, and `from_pretrained` of `transformers`.

        Raises:
          BadInput: if there is something already, it cannot be written, or parameters and configuration differ.
        """
        config = {name: value for name, value in self.config.items() if name != "torch_dtype"} | {"dtype": "float32"}
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), self.params)
        tensors = {**self.others, **pretrained.checkpoint_of(config, params)}
        return write_weights(path, config, tensors, self.tokenizer.files)

    @property
    def variables(self) -> dict[str, PyTree]:
        """Of the model."""
        return {"params": self.params}

    @property
    def _stop(self) -> tuple[int, ...]:
        """Tokens that end a text."""
        ends = self.config.get("eos_token_id")
        ends = ends if isinstance(ends, list | tuple) else [ends]
        return tuple(end for end in ends if type(end) is int and 0 <= end < self.config["vocab_size"])

    def _require(self, verb: str, *models: type) -> None:
        if not isinstance(self.model, models):
            kind, can = (
                self.config["model_type"],
                {GPT: "generate", BERT: "embed", EncoderDecoder: "translate and embed"},
            )
            raise BadInput(f"{verb}: {kind} does not; it can {can[type(self.model)]}")

    def _read(self, texts: Sequence[str]) -> list[np.ndarray]:
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts) or not len(texts):
            raise BadInput(f'texts are given as a list of one or more, ["..."]: this is {str(texts)[:40]!r}')
        return [self.tokenizer.encode(text) for text in texts]

    def _written(self, token: Array, length: Array) -> list[str]:
        return [self.tokenizer.decode(row[:n]) for row, n in zip(np.asarray(token), np.asarray(length), strict=True)]


def from_folder(path: str | Path) -> Published:
    """The model of a folder with `config.json`, safetensors and a tokeniser, such as `tokenizer.json`.

    Args:
      path: of the folder.
    Raises:
      BadInput: as `safetensors.weights`, `pretrained.load` and `read_tokenizer` do: one line that says what is wrong.
    """
    config, tensors = weights(path)
    note_weights(path, *FILES)
    model, params, unused = pretrained.load(config, tensors)
    prefix = ARCHITECTURES[config["model_type"]].prefix
    others = {name: tensors[name] for name in tensors if name.removeprefix(prefix) in unused}
    return Published(config, model, params, others, read_tokenizer(path, config))


def new_gpt2(tokenizer: Tokenizer, *, length: int, num_layers: int, num_heads: int, width: int) -> Published:
    """A GPT-2 of any size, without parameters, for the tokens of a tokeniser.

    Args:
      tokenizer: of V tokens.
      length: the longest text that it sees.
      num_layers: >= 1.
      num_heads: a divisor of the width.
      width: D.
    """
    sizes = {"vocab_size": len(tokenizer.tokens.vocabulary), "n_positions": length}
    sizes |= {"n_layer": num_layers, "n_head": num_heads, "n_embd": width}
    ends = {"bos_token_id": tokenizer.tokens.start, "eos_token_id": None}
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], **sizes, **ends}
    return Published(config, GPT(*sizes.values()), None, {}, tokenizer)


@functools.lru_cache(maxsize=8)  # programs
def _going_on(model: GPT, num_tokens: int, choose: Choose, stop: tuple[int, ...]):
    def made(key: Key, variables: PyTree, prompt: Array, mask: Array) -> tuple[Array, Array]:
        cache = model.empty_cache(len(prompt), prompt.shape[1] + num_tokens - 1)
        given = {"mask": mask, "choose": choose, "stop": stop}
        return tuple(generate(key, reading(model, variables), cache, prompt, num_tokens, **given))

    return probe.jitted(made)


@functools.lru_cache(maxsize=8)
def _replying(model: EncoderDecoder, num_tokens: int, num_beams: int, start: int, stop: tuple[int, ...]):
    def made(variables: PyTree, source: Array, mask: Array) -> tuple[Array, Array]:
        begun = (
            *reader_of(model, variables, source, num_tokens, mask=mask),
            jnp.full((len(source), 1), start),
            num_tokens,
        )
        if num_beams == 1:
            return tuple(generate(jax.random.key(0), *begun, stop=stop))  # greedy: nothing is drawn
        best = beam_search(*begun, num_beams=num_beams, stop=stop)
        return best.token[:, 0], best.length[:, 0]

    return probe.jitted(made)


@functools.lru_cache(maxsize=8)
def _embedding(model: BERT | EncoderDecoder, by: Pooling):
    def embed(variables: PyTree, token: Array, mask: Array) -> Array:
        h = model.apply(variables, token, mask=mask, method="encode")
        if by == "pooled":
            return model.apply(variables, h, method="pool")
        if by == "first":
            return h[:, 0]
        return over_time(h, mask, "mean")

    return probe.jitted(embed)
