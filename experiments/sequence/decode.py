"""Quality of a language model's texts by how they are decoded, beside the text that people wrote.

A GPT of nanoGPT's size for a CPU reads 32 characters of held-out source text and goes on with 96, greedily, by beams,
drawn as it is, colder, from the k likeliest, or from the nucleus. The `surprise` is the model's own, in nats a
character, and `judged` that of another network; `repeated` is the share of the 8-grams of a text that it has had
before. Holtzman et al. 2020, arXiv:1904.09751, table 1, find that the likeliest texts repeat themselves and surprise
far less than what people write, while texts of the nucleus do not.

    python -m experiments.sequence.decode
    >>> text = run.load("runs/sequence/decode").generate("def ")
    python -m experiments.sequence.decode --num_beams 16 --nucleus 0.8

Expected: nats a character 1.74 of people's text, 0.49 greedily, 0.25 by beams, 1.37 of the nucleus, 1.62 as drawn; of
the 8-grams 10 %, 82 %, 90 %, 12 % and 8 % are repeated. About five minutes on two idle cores. How fast each way is:
`python -m experiments.bench decode_strategies`.
"""

import functools
from dataclasses import dataclass

import jax.numpy as jnp
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import Mean, beside, optimizer, probe
from adl.measure.texts import GRAM
from adl.nn.transformer import GPT
from adl.sequence import reading, strategies

QUALITY, TEXTS = "{} characters by strategy, and what people wrote", "Three prompts, and how they go on"
SHOWN = ("text", "greedy", "beam", "pure", "top_k", "nucleus")  # whose texts are drawn


@dataclass(frozen=True)
class Config(run.Optimised, run.Sourced, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "python_library"  # TFDS name, or path, with "text"
    train_split: str = "train"  # of TFDS
    test_split: str = "validation+test"  # of TFDS
    num_steps: run.Count = 900
    batch_size: run.Count = 12  # pieces a step
    eval_every: run.Count = 500
    num_layers: run.Count = 4  # of the model
    num_heads: run.Count = 4  # of both networks
    width: run.Count = 128  # of both networks
    judge_layers: run.Count = 2  # of the network that judges
    prompt_length: run.Count = 32  # characters
    num_new: run.Count = 96  # characters that each text goes on with; pieces are as long as both
    num_prompts: run.Count = 128  # at equal distances in the held-out text
    learning_rate: run.Positive = 3e-3  # at its height, after 100 steps; a cosine takes it to a tenth
    weight_decay: run.NonNegative = 0.1  # of matrices, times the learning rate
    temperatures: run.Positives = (0.5, 0.8)  # of texts that are drawn
    top_k: run.Count = 10  # characters
    nucleus: run.Rate = 0.95  # probability
    num_beams: run.Count = 4  # of beam search


PROTOCOL = "python_library (of Python 3.11.7): 128 prompts of 32 held-out characters, 96 more of each; one seed; "
CLAIMS = (
    *(
        run.Claim(
            metric=f"decoded/{name}_gap",
            at_most=0.0,
            protocol=f"{PROTOCOL}surprise of the text by {name}, less that of the text itself, nats a character",
            reference="Holtzman et al. 2020, table 1: the likeliest texts surprise less than people's",
        )
        for name in ("greedy", "beam")
    ),
    *(
        run.Claim(
            metric=f"decoded/{name}_repeated_more",
            at_least=0.0,
            protocol=f"{PROTOCOL}share of 8-grams that a text has had before, by {name} less in the text itself",
            reference="Holtzman et al. 2020, table 1: the likeliest texts repeat themselves more than people's",
        )
        for name in ("greedy", "beam")
    ),
    run.Claim(
        metric="decoded/nucleus_nearer",
        at_least=0.0,
        protocol=f"{PROTOCOL}distance of surprise from that of the text itself: the lesser of greedy and beams, less "
        "that of the nucleus",
        reference="Holtzman et al. 2020, table 1: the nucleus comes nearest to people's perplexity",
    ),
    run.Claim(
        metric="decoded/beam_over_greedy",
        at_least=0.0,
        protocol=f"{PROTOCOL}log-probability of texts by 4 beams, less that of the greedy ones, nats a character",
        reference="what the search is for",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 8, "width": 16, "num_layers": 1, "judge_layers": 1, "num_heads": 2},
    **{"prompt_length": 6, "num_new": 10, "num_prompts": 4, "temperatures": (0.5,), "num_beams": 2},
    **{"train_split": "train[:4]", "test_split": "test[:1]"},
}


def load(cfg: Config) -> tuple[data.text.Texts, data.text.Continued]:
    """Both splits, and held-out texts that are gone on with."""
    texts = data.text.texts(cfg.dataset, train=cfg.train_split, test=cfg.test_split, **cfg.source)
    return texts, data.text.continued(texts.test, cfg.num_prompts, cfg.prompt_length, cfg.num_new)


def build(cfg: Config, loaded: tuple[data.text.Texts, data.text.Continued], axis: str | None) -> run.Experiment:
    """Two language models that learn side by side, what the first makes up, and what both think of it."""
    (train, test, tokens), held = loaded
    length = cfg.prompt_length + cfg.num_new
    gpt = functools.partial(GPT, len(tokens.vocabulary), length, num_heads=cfg.num_heads, width=cfg.width)
    layers = {"model": cfg.num_layers, "judge": cfg.judge_layers}
    models = {name: gpt(num_layers=n, dtype=jnp.dtype(cfg.precision)) for name, n in layers.items()}
    rate = optimizer.cosine(cfg.num_steps, warmup=100, end=0.1)
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, b2=0.99, mask=optimizer.matrices)
    reads = {name: reading.InPieces(model, length) for name, model in models.items()}
    at_text = {name: probe.of_one(name, reading.surprise_at(read, test, tokens)) for name, read in reads.items()}
    choices = {"temperatures": cfg.temperatures, "k": cfg.top_k, "p": cfg.nucleus, "num_beams": cfg.num_beams}
    ways = strategies.strategies(models["model"], cfg.num_new, **choices)

    def decoded(compared, key, state):
        found = compared(key, state)
        apart = {name: jnp.abs(found[f"{name}_gap"].value) for name in ("greedy", "beam", "nucleus")}
        nearer = jnp.minimum(apart["greedy"], apart["beam"]) - apart["nucleus"]
        worse = found["greedy_surprise"].value - found["beam_surprise"].value
        return {**found, "nucleus_nearer": Mean.of(nearer), "beam_over_greedy": Mean.of(worse)}

    labels = {name: strategies.label(name) for name in ("text", *ways)}
    shown = {"rows": [cfg.num_prompts * i // 8 for i in (1, 4, 6)], "decode": tokens.decode, "title": TEXTS}
    goes_on = reading.going_on(reads["model"], 96, name="model")
    return run.Experiment(
        beside({name: read.learns(tx, axis=axis) for name, read in reads.items()}),
        reads["model"].batches(train, cfg.batch_size),
        probes={"test": at_text["model"]},
        final={"judge": at_text["judge"], "decoded": Partial(decoded, strategies.compared(models, ways, held))},
        offers={**models, "generate": run.Offer.of_text(goes_on, tokens)},
        figures=show.figures(
            loss=show.curves(
                {"model": "train/model_loss", "judge": "train/judge_loss", "model, held-out": "test/loss"},
                y_label="−log p (nats a character)",
                title="Surprise at the next character",
            ),
            quality=show.repetition(labels, probe="decoded", title=QUALITY.format(cfg.num_new), num_tokens=GRAM),
            texts=show.continuations(held.prompt, {n: labels[n] for n in SHOWN}, probe="decoded", **shown),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
