"""Texts of a language model in fewer passes: a small model drafts, the large one reads the draft at once.

Speculative decoding: Leviathan et al. 2023, arXiv:2211.17192. A GPT of nanoGPT's size for a CPU reads 32 characters of
held-out source text and goes on with 96, drawn one by one, or from drafts of a smaller GPT that learned the same.
Their `surprise`, in nats a character, must not tell them apart; eq. 1 says how many characters a pass gives.

    python -m experiments.sequence.speculative
    >>> text = run.load("runs/sequence/speculative").generate("def ")
    python -m experiments.sequence.speculative --num_drafted 8

Expected: a pass gives 2.88 characters where eq. 1 says 2.95. Two minutes of processor time.
"""

import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import beside, optimizer, probe
from adl.nn.transformer import GPT
from adl.sequence import reading, speculative


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
    width: run.Count = 128  # of the model
    draft_layers: run.Count = 1  # of the network that drafts
    draft_width: run.Count = 64  # of the same
    prompt_length: run.Count = 32  # characters
    num_new: run.Count = 96  # characters that each text goes on with; pieces are as long as both
    num_prompts: run.Count = 128  # at equal distances in the held-out text
    learning_rate: run.Positive = 3e-3  # at its height, after 100 steps; a cosine takes it to a tenth
    weight_decay: run.NonNegative = 0.1  # of matrices, times the learning rate
    num_drafted: run.Count = 4  # characters of a draft


PROTOCOL = "python_library (of Python 3.11.7): 128 prompts of 32 held-out characters, 96 more of each; one seed; "
CLAIMS = (
    run.Claim(
        metric="drafted/z",
        at_most=4.0,
        protocol=f"{PROTOCOL}surprise of texts with drafts, less that of texts without, in standard errors",
        reference="Leviathan et al. 2023, appendix A.1: one distribution; a normal |z| is above 4 once in 16,000 runs",
    ),
    run.Claim(
        metric="drafted/ratio",
        at_least=0.9,
        at_most=1.1,
        protocol=f"{PROTOCOL}characters a pass of the model with 4 drafted, over (1 - alpha^5) / (1 - alpha), alpha "
        "the mean of sum_x min(p(x), q(x)) along texts that the model drew",
        reference="Leviathan et al. 2023, eq. 1 and corollary 3.6, where acceptance is i.i.d.",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 8, "width": 16, "num_layers": 1, "num_heads": 2, "draft_width": 8},
    **{"prompt_length": 6, "num_new": 10, "num_prompts": 4, "train_split": "train[:4]", "test_split": "test[:1]"},
}


def load(cfg: Config) -> tuple[data.text.Texts, data.text.Continued]:
    """Both splits, and held-out texts that are gone on with."""
    texts = data.text.texts(cfg.dataset, train=cfg.train_split, test=cfg.test_split, **cfg.source)
    return texts, data.text.continued(texts.test, cfg.num_prompts, cfg.prompt_length, cfg.num_new)


def build(cfg: Config, loaded: tuple[data.text.Texts, data.text.Continued], axis: str | None) -> run.Experiment:
    """Two language models that learn side by side; what the first makes up, with drafts of the second and without."""
    (train, test, tokens), held = loaded
    length = cfg.prompt_length + cfg.num_new
    gpt = functools.partial(
        GPT, len(tokens.vocabulary), length, num_heads=cfg.num_heads, dtype=jnp.dtype(cfg.precision)
    )
    models = {
        "model": gpt(num_layers=cfg.num_layers, width=cfg.width),
        "draft": gpt(num_layers=cfg.draft_layers, width=cfg.draft_width),
    }
    rate = optimizer.cosine(cfg.num_steps, warmup=100, end=0.1)
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, b2=0.99, mask=optimizer.matrices)
    reads = {name: reading.InPieces(model, length) for name, model in models.items()}
    at_text = {name: probe.of_one(name, reading.surprise_at(read, test, tokens)) for name, read in reads.items()}
    return run.Experiment(
        beside({name: read.learns(tx, axis=axis) for name, read in reads.items()}),
        reads["model"].batches(train, cfg.batch_size),
        probes={"test": at_text["model"]},
        final={
            "draft": at_text["draft"],
            "drafted": speculative.beside_drawn(**models, held=held, num_drafted=cfg.num_drafted),
        },
        offers={**models, "generate": run.Offer.of_text(reading.going_on(reads["model"], 96, name="model"), tokens)},
        figures=show.figures(
            loss=show.curves(
                {"model": "train/model_loss", "draft": "train/draft_loss", "model, held-out": "test/loss"},
                **{"y_label": "−log p (nats a character)", "title": "Surprise at the next character"},
            ),
            drafts=drafts(cfg),
        ),
    )


def drafts(cfg: Config) -> show.Draw:
    """That texts with drafts surprise as texts without, and how many characters a pass gives."""
    share = (np.arange(cfg.num_prompts) + 1) / cfg.num_prompts
    one_distribution = show.lines(
        "drafted/drawn",
        show.Line(share, "drawn"),
        show.Line(share, "with drafts", x="drafted/drafted"),
        show.Line(share, "what people wrote", "--", "black", x="drafted/people"),
        **{"title": "One distribution", "legend": "best"},
        **{"x_label": "surprise of a text (nats a character)", "y_label": "share of texts below"},
    )
    title, x_label = f"Drafts of {cfg.num_drafted} characters", "characters a pass of the model"
    passes = show.bars(("measured", "eq. 1"), "drafted/passes", title=title, x_label=x_label)
    return show.page([one_distribution, passes], size=(3.8, 2.6))


if __name__ == "__main__":
    run.main(__name__)
