"""Source text out of nothing: characters that are hidden one by one, and a network that fills them in, in any order.

Masked diffusion (Austin et al. 2021, arXiv:2107.03006; Sahoo et al. 2024, arXiv:2406.07524) of Python's own standard
library. The bound on -log p is in nats a character, of windows of 64 characters behind a known one, as those that the
language models of `sequence.language` are tested on; it is an estimate without bias, of `num_draws` maskings a window.

    python -m experiments.diffusion.masked
    >>> text = run.load("runs/diffusion/masked").generate("def ")
    python -m experiments.diffusion.masked --dataset tiny_shakespeare --data_dir DIR

Expected: a bound of 2.49 by one seed, below bigrams (2.54) and above trigrams (1.98); from left to right a transformer
as large has 1.64. What is made up has the spaces and brackets of Python, and few words. 4.5 minutes on 2 busy cores.
"""

import functools
from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import Learner, full_pass, optimizer
from adl.diffusion import masked
from adl.measure.levels import known
from adl.nn.encoder import BERT
from adl.sequence import counts

HOLE, SHOWN, AT_ONCE = "¤", 8, 4096  # a hidden character; windows that are drawn; tokens that are tested together
COUNTS = ("unigrams", "bigrams", "trigrams")  # what language models that count know of the tokens before


@dataclass(frozen=True)
class Config(run.Averaged, run.Sourced, run.Config):
    """The default is the run that the claim is about."""

    dataset: str = "python_library"  # TFDS name, or path, with "text"
    train_split: str = "train"  # of TFDS
    test_split: str = "validation+test"  # of TFDS
    num_steps: run.Count = 2000
    batch_size: run.Count = 32  # pieces a step
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    tokens: data.tokens.Kind = "char"  # what a text is read in
    vocab_size: run.Natural = 0  # of byte pairs or words, at most; 0: 1024 or 10000. Characters: all there are
    num_layers: run.Count = 4  # of the transformer
    num_heads: run.Count = 4  # of its attention
    width: Annotated[run.Count, run.multiple_of("num_heads")] = 128  # of the transformer
    length: run.Several = 64  # tokens of a piece, behind one that is known
    dropout: run.Rate = 0.0  # of what layers add
    learning_rate: run.Positive = 1e-3  # at its height, after 100 steps; a cosine takes it to a tenth
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated
    num_draws: run.Count = 2  # maskings of each test window
    num_fillings: run.Count = 64  # steps in which hidden places are filled
    num_sampled: run.Count = 640  # tokens of a text that is made up, half a piece at a time


CLAIMS = (
    run.Claim(
        **{"metric": "test/bound", "at_most": 2.538},
        protocol="python_library (of Python 3.11.7): the 220,907 characters of the held-out files in windows of 64 "
        "behind a known one each, nats a character; estimated from 2 maskings of each window, one seed",
        reference="counts, smoothed after Witten and Bell, on the same split: bigrams 2.538, unigrams 3.239, trigrams "
        "1.976; from left to right, sequence.language's transformer has 1.638",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 8, "width": 16, "num_layers": 1, "num_heads": 2, "length": 16},
    **{"num_fillings": 4, "num_sampled": 9, "train_split": "train[:4]", "test_split": "test[:1]"},
}


def load(cfg: Config) -> tuple[data.text.Texts, dict[str, float]]:
    """Both splits, and the surprise at the test text by counts of what followed 0, 1 and 2 tokens."""
    of = {"kind": cfg.tokens, "vocab_size": cfg.vocab_size}
    found = data.text.texts(cfg.dataset, train=cfg.train_split, test=cfg.test_split, **cfg.source, **of)
    losses = counts.witten_bell(found.train, found.test, size=found.tokens.size, longest=len(COUNTS) - 1)
    return found, dict(zip(COUNTS, losses, strict=True))


def build(cfg: Config, loaded: tuple[data.text.Texts, dict[str, float]], axis: str | None) -> run.Experiment:
    """A transformer that fills in what is hidden, its bound on the held-out text, a gap filled, and texts made up."""
    (train, test, tokens), counted = loaded
    size = len(tokens.vocabulary)
    shape = {"num_layers": cfg.num_layers, "num_heads": cfg.num_heads, "width": cfg.width, "hidden": 4 * cfg.width}
    model = BERT(size + 1, cfg.length + 1, **shape, dropout=cfg.dropout, dtype=jnp.dtype(cfg.precision))

    def predict(learner: Learner) -> masked.Predict:
        return functools.partial(model.apply, learner.averaged)

    def made_up(key, learner):
        return {"token": filler.goes_on(key, learner, jnp.full((2, 1), tokens.start), cfg.num_sampled)}

    def goes_on(key, learner, prompt, num_tokens=cfg.length):
        return filler.goes_on(key, learner, prompt, num_tokens)

    def written(token):
        return (" " * (tokens.unit == "word")).join((*tokens.vocabulary, HOLE)[one] for one in token)

    filler = masked.Infiller(predict, size, cfg.length + 1, cfg.num_fillings)
    windows = data.text.windows(test, cfg.length, start=tokens.start)
    bound, shown = filler.bound(tokens.size, cfg.num_draws), windows.arrays["token"][:SHOWN]
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=100, end=0.1), clip=1.0)
    below = {f"{name}: {{:.2f}}": value for name, value in counted.items()}
    named = {"y_label": f"nats a {tokens.unit}", "title": "Bound on the surprise", "references": below}
    loss = show.curves({"training pieces": "train/loss", "held-out text": "test/bound"}, **named)
    return run.Experiment(
        masked.masked_diffusion(model, tx, num_tokens=size, prepare=behind_one, axis=axis),
        data.text.random_pieces(train, cfg.batch_size, cfg.length),
        probes={"test": full_pass(bound, data.padded(windows, max(AT_ONCE // cfg.length, 1)), len(windows))},
        final={"counts": known(counted), "gap": Partial(filler.gaps, shown), "samples": made_up},
        offers={"model": model, "tokens": tokens, "generate": run.Offer.of_text(goes_on, tokens)},
        figures=show.figures(
            loss=show.rescaled(loss, {"train/loss": 1 / tokens.size[train].mean()}),
            gap=show.of(show.written, "gap/token", decode=written, title="Hidden, filled in, and as it was"),
            samples=show.of(show.written, "samples/token", decode=tokens.decode, title="Made up"),
        ),
    )


def behind_one(key: Array, batch: dict[str, Array]) -> tuple[Array, Array]:
    """Pieces of text, all but the first token of which may be hidden."""
    return batch["token"], jnp.ones_like(batch["token"], bool).at[..., 0].set(False)


if __name__ == "__main__":
    run.main(__name__)
