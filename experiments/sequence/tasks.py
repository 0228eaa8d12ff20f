"""Algorithms from examples: addition, reverse, sort, modular arithmetic; and what is left of them at greater lengths.

A transformer with rotary positions (Vaswani et al. 2017, arXiv:1706.03762; Su et al. 2021, arXiv:2104.09864), an LSTM
(Hochreiter & Schmidhuber 1997) and a linear recurrence (LRU: Orvieto et al. 2023, arXiv:2303.06349), of 101,000,
136,000 and 101,000 parameters, learn side by side of the same questions, which are made anew each step. A tenth of all
questions is for validation, by which sizes and rates were chosen, and a tenth for the test; none of these is trained
on. An answer counts if every token of it is right, and its end. What is asked: `data.algorithmic`.

    python -m experiments.sequence.tasks
    >>> answer = run.load("runs/sequence/tasks").generate("1+2=")
    python -m experiments.sequence.tasks --task reverse
    python -m experiments.sequence.tasks --task sort --models ssm lstm
    python -m experiments.sequence.tasks --task modular --models lstm --num_seeds 5

Expected: per cent of the test questions answered wholly right, of the lengths in training | of those beyond, up to
four times as long; one seed, 3.5 to 9 minutes a task on two cores that others used, too:

                         transformer    LSTM           linear recurrence
    addition (3 digits)  100.0 | 0.0    90.4 | 0.0     100.0 | 0.0
    reverse (8 digits)   100.0 | 0.0    100.0 | 9.3    100.0 | 0.2
    sort (8 digits)      99.7 | 15.4    100.0 | 22.8   100.0 | 3.8
    modular (5 numbers)  61.7 | 22.0    99.9 | 91.3    82.3 | 23.7  (LSTM: mean of 5 seeds)
"""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.tree_util import Partial

from adl import run, show
from adl.core import beside, optimizer
from adl.data import algorithmic
from adl.sequence import answers, causal
from adl.sequence.language import language_model


@dataclass(frozen=True)
class Config(run.Optimised, run.Config):
    """The default is the run that the first claims are about."""

    task: Literal["addition", "addition_forward", "reverse", "sort", "modular"] = "addition"  # of data.algorithmic
    models: tuple[causal.Kind, ...] = ("gpt", "lstm", "lru")  # that learn side by side, of the same batches
    num_steps: run.Count = 3000
    batch_size: run.Count = 64  # questions a step
    eval_every: run.Count = 250
    length: run.Natural = 0  # of the longest questions in training; 0: 3 of addition, 5 of modular, else 8
    reach: run.Count = 4  # lengths of the test questions go up to so many times that
    num_tested: run.Count = 200  # different questions of each length, at most
    num_layers: run.Count = 2  # of all but the LSTM
    width: run.Count = 64  # of their embeddings and layers
    lstm_layers: run.Count = 1  # of the LSTM
    lstm_width: run.Count = 128  # one such layer is about as large as the others' two
    num_heads: run.Count = 4  # of the transformer
    position: Literal["rotary", "alibi", "none", "sinusoidal", "learned"] = "rotary"  # how the transformer counts
    learning_rate: run.Positive = 5e-3  # at its height, after 100 steps; a cosine takes it to a tenth
    weight_decay: run.NonNegative = 0.01  # times the learning rate
    gpt_rate: run.Positive = 3e-3  # the transformer's learning rate instead
    gpt_decay: run.NonNegative = 0.1  # and its weight decay


SYMBOLS = run.Text(algorithmic.tokens_of, algorithmic.text, alphabet=algorithmic.ALPHABET)
LEARNT = {  # task: (who learns it, of what lengths, what share, in which runs)
    "addition": ("lru", "1 to 3 digits", 0.999, "one seed"),
    **dict.fromkeys(("reverse", "sort"), ("lstm", "1 to 8 digits", 0.999, "one seed")),
    "modular": ("lstm", "1 to 5 numbers, 515 questions", 0.9979, "mean of 5 seeds"),  # one wrong: two in a thousand
}
MODULAR = {"task": "modular", "models": ("lstm",), "num_seeds": 5}
CLAIMS = (
    *(
        run.Claim(
            **{"metric": f"test/{kind}_exact", "at_least": share},
            overrides={"addition": {}, "modular": MODULAR}.get(task, {"task": task}),
            protocol=f"{task}, {causal.NAMES[kind]}: whole answers, greedily decoded, to up to 200 test questions of "
            f"each length in training, {lengths}; 3,000 steps of 64, {runs}",
            reference="100 %, but for one answer in a thousand",
        )
        for task, (kind, lengths, share, runs) in LEARNT.items()
    ),
    run.Claim(
        **{"metric": "test/lstm_longer", "at_least": 0.5},
        overrides=MODULAR,
        protocol="LSTM, modulo 5: 200 test questions of each length from 6 to 20, trained on 1 to 5; mean of 5 seeds",
        reference="chance 0.2; Delétang et al. 2023: LSTMs solve regular tasks beyond the lengths of training",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 8, "width": 16, "lstm_width": 16, "num_layers": 1, "num_heads": 2}
SMOKE |= {"length": 2, "reach": 2, "num_tested": 4, "models": ("gpt", "lstm")}


def load(cfg: Config) -> algorithmic.HeldOut:
    """A tenth of all questions each."""
    return algorithmic.held_out(cfg.task, cfg.length, reach=cfg.reach, count=cfg.num_tested)


def build(cfg: Config, loaded: algorithmic.HeldOut, axis: str | None) -> run.Experiment:
    """The networks side by side, and their answers to questions that none of them saw."""
    causal.require_kinds(cfg.models)
    longest, validation, test, examples = loaded
    models = {kind: network(cfg, kind, test.arrays["mask"].shape[1]) for kind in cfg.models}
    seen, answer = loaded.sentence, answers.reply(models[cfg.models[0]], cfg.models[0], longest + 2)

    def attention(token, key, state):
        return {"weight": causal.attention_weights(models["gpt"], state["gpt"].variables, token)}

    task, length = algorithmic.TASKS[cfg.task], test.arrays["length"]
    of = {"names": {kind: causal.NAMES[kind] for kind in models}, "longest": longest}
    looks = show.of(show.attention, "attention/weight", names=list(algorithmic.text(seen)))
    return run.Experiment(
        beside({kind: language_model(model, descent(cfg, kind), axis=axis) for kind, model in models.items()}),
        algorithmic.Questions(cfg.task, cfg.batch_size, longest),
        probes={"validation": answers.known(models, validation, longest=longest)},
        final={
            "test": answers.judged(models, test, longest=longest),
            "examples": answers.said(models, examples),
            **({"attention": Partial(attention, seen)} if "gpt" in models else {}),
        },
        offers={**models, "generate": run.Offer(answer, SYMBOLS, SYMBOLS)},
        figures=show.figures(
            lengths=show.right_by_length(**of, probe="test", length=length, x_label=task.unit, title=task.title),
            learning=show.curves(
                {causal.NAMES[kind]: f"validation/{kind}_exact" for kind in models},
                y_label="share of answers wholly right",
                title=f"Held-out questions of lengths 1 to {longest}",
            ),
            examples=show.answers(**of, probe="examples", columns=examples.arrays, alphabet=algorithmic.ALPHABET),
            **({"attention": looks} if "gpt" in models else {}),
        ),
    )


def network(cfg: Config, kind: causal.Kind, room: int) -> nn.Module:
    """Of about equal size, whatever its kind."""
    layers, width = (cfg.lstm_layers, cfg.lstm_width) if kind == "lstm" else (cfg.num_layers, cfg.width)
    sizes = {"num_layers": layers, "width": width, "length": room, "num_heads": cfg.num_heads}
    sizes |= {"position": cfg.position, "dtype": jnp.dtype(cfg.precision)}
    return causal.network(kind, len(algorithmic.ALPHABET), **sizes)


def descent(cfg: Config, kind: causal.Kind) -> optax.GradientTransformation:
    """AdamW, on a warm-up and a cosine."""
    adam = {"learning_rate": cfg.gpt_rate, "weight_decay": cfg.gpt_decay} if kind == "gpt" else cfg.adam
    return optimizer.adam(**adam, shape=optimizer.cosine(cfg.num_steps, warmup=100, end=0.1), clip=1.0, b2=0.99)


if __name__ == "__main__":
    run.main(__name__)
