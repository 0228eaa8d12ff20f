"""Algorithms from examples: addition, reverse, sort, modular arithmetic; and what is left of them at greater lengths.

A transformer with rotary positions (Vaswani et al. 2017, arXiv:1706.03762; Su et al. 2021, arXiv:2104.09864), an LSTM
(Hochreiter & Schmidhuber 1997) and a linear recurrence (LRU: Orvieto et al. 2023, arXiv:2303.06349), of 101,000,
136,000 and 101,000 parameters, learn side by side of the same questions, which are made anew each step. A tenth of all
questions is for validation, by which sizes and rates were chosen, and a tenth for the test; none of these is trained
on. An answer counts if every token of it is right, and its end. What is asked: `data.algorithmic`.

    python -m experiments.sequence.tasks
    python -m experiments.sequence.tasks --task reverse
    python -m experiments.sequence.tasks --task sort --models ssm lstm
    python -m experiments.sequence.tasks --task modular --num_seeds 3

Expected: per cent of the test questions answered wholly right, of the lengths in training | of those beyond, up to
four times as long; one seed, 3.5 to 9 minutes a task on two cores that others used, too:

                         transformer    LSTM           linear recurrence
    addition (3 digits)  100.0 | 0.0    90.4 | 0.0     100.0 | 0.0
    reverse (8 digits)   100.0 | 0.0    100.0 | 9.3    100.0 | 0.2
    sort (8 digits)      99.7 | 15.4    100.0 | 22.8   100.0 | 3.8
    modular (5 numbers)  61.7 | 22.0    100.0 | 87.6   82.3 | 23.7
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from adl import data, run, show
from adl.core import BadInput, Learner, Mean, Probe, PyTree, beside, full_pass
from adl.data import algorithmic
from adl.sequence.causal import Kind, attention_weights, network
from adl.sequence.decode import generate, reading
from adl.sequence.language import exact_match, language_model, surprise

LONGEST = {"addition": 3, "addition_forward": 3, "reverse": 8, "sort": 8, "modular": 5}  # in training
AT_ONCE = 100  # questions of an evaluation's batch
SHOWN = 2  # questions of each length that are written out
GAP = 3  # characters between their columns
NAMES = {"gpt": "transformer", "lstm": "LSTM", "ssm": "Mamba", "lru": "linear recurrence"}
MARKS = "os^D"
TITLES = {
    "addition": "Addition, the least significant digit first",
    "addition_forward": "Addition, the most significant digit first",
    "reverse": "Digits backwards",
    "sort": "Digits in order",
    "modular": f"Arithmetic modulo {algorithmic.MODULUS}",
}
UNITS = {
    "addition": "digits of each summand",
    "addition_forward": "digits of each summand",
    "reverse": "digits",
    "sort": "digits",
    "modular": "numbers in the expression",
}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the first claims are about."""

    task: Literal["addition", "addition_forward", "reverse", "sort", "modular"] = "addition"
    models: tuple[Kind, ...] = ("gpt", "lstm", "lru")  # that learn side by side, of the same batches
    num_steps: run.Count = 3000
    batch_size: run.Count = 64  # questions a step
    eval_every: run.Count = 250
    length: run.Natural = 0  # of the longest questions in training; 0: 3 of addition, 5 of modular, else 8
    reach: run.Count = 4  # lengths of the test questions go up to so many times that
    num_tested: run.Count = 200  # different questions of each length, at most
    num_layers: run.Count = 2  # of all but the LSTM
    width: run.Count = 64  # of their embeddings and layers
    lstm_layers: run.Count = 1
    lstm_width: run.Count = 128  # one such layer is about as large as the others' two
    num_heads: run.Count = 4  # of the transformer
    position: Literal["rotary", "alibi", "none", "sinusoidal", "learned"] = "rotary"  # how the transformer counts
    learning_rate: run.Positive = 5e-3  # at its height, after 100 steps; a cosine takes it to a tenth
    weight_decay: run.NonNegative = 0.01  # times the learning rate
    gpt_rate: run.Positive = 3e-3  # the transformer's learning rate instead
    gpt_decay: run.NonNegative = 0.1  # and its weight decay


LEARNT = {  # task: (who learns it, of what lengths)
    "addition": ("lru", "1 to 3 digits"),
    "reverse": ("lstm", "1 to 8 digits"),
    "sort": ("lstm", "1 to 8 digits"),
    "modular": ("lstm", "1 to 5 numbers"),
}
CLAIMS = (
    *(
        run.Claim(
            metric=f"test/{kind}_exact",
            at_least=0.999,
            overrides={} if task == "addition" else {"task": task},
            protocol=f"{task}, {NAMES[kind]}: whole answers, greedily decoded, to up to 200 test questions of each "
            f"length in training, {lengths}; 3,000 steps of 64, one seed",
            reference="100 %, but for one answer in a thousand",
        )
        for task, (kind, lengths) in LEARNT.items()
    ),
    run.Claim(
        metric="test/lstm_longer",
        at_least=0.5,
        overrides={"task": "modular"},
        protocol="LSTM, arithmetic modulo 5: 200 test questions of each length from 6 to 20, trained on 1 to 5",
        reference="chance 0.2; Delétang et al. 2023: LSTMs solve regular tasks beyond the lengths of training",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 8, "width": 16, "lstm_width": 16, "num_layers": 1, "num_heads": 2},
    **{"length": 2, "reach": 2, "num_tested": 4},
}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """The networks side by side, and their answers to questions that none of them saw."""
    if not cfg.models or len(set(cfg.models)) < len(cfg.models):
        raise BadInput(f"--models {' '.join(cfg.models)}: one or several of {', '.join(NAMES)}, each once")
    length = cfg.length or LONGEST[cfg.task]
    held_out = asked(cfg.task, "validation", length, cfg.num_tested)
    test = asked(cfg.task, "test", cfg.reach * length, cfg.num_tested)
    models = {
        kind: network(
            kind,
            len(algorithmic.ALPHABET),
            num_layers=cfg.lstm_layers if kind == "lstm" else cfg.num_layers,
            width=cfg.lstm_width if kind == "lstm" else cfg.width,
            length=test.arrays["mask"].shape[1],
            num_heads=cfg.num_heads,
            position=cfg.position,
            dtype=jnp.dtype(cfg.precision),
        )
        for kind in cfg.models
    }

    judge = functools.partial(answers, models, length)

    def validation(key, state):
        told = judge(held_out)(key, state)
        return {name: told[name] for name in told if name.endswith(("_exact", "_loss"))}

    examples = shown(cfg.task, cfg.reach * length, length)

    def decoded(key, state):
        """What each network answers by itself, token by token, to some questions."""
        token, is_answer = jnp.asarray(examples["token"]), examples["mask"] > 0
        return {kind: answered(model, state[kind].variables, token, is_answer) for kind, model in models.items()}

    final = {"test": judge(test), "examples": decoded}
    figures = {
        "lengths": functools.partial(lengths_figure, cfg=cfg, lengths=test.arrays["length"], longest=length),
        "learning": functools.partial(learning_figure, cfg=cfg, longest=length),
        "examples": functools.partial(examples_figure, cfg=cfg, examples=examples, longest=length),
    }
    if "gpt" in models:
        row = examples["token"][np.abs(examples["length"] - length).argmin()]
        seen = row[: len(algorithmic.text(row).rstrip("."))]

        def attention(key, state):
            return {"weight": attention_weights(models["gpt"], state["gpt"].variables, jnp.asarray(seen))}

        final["attention"] = attention
        figures["attention"] = lambda outcome: show.attention(
            outcome.arrays["attention/weight"], list(algorithmic.text(seen))
        )
    return run.Experiment(
        beside({kind: language_model(model, optimizer(cfg, kind), axis=axis) for kind, model in models.items()}),
        algorithmic.Questions(cfg.task, cfg.batch_size, length),
        probes={"validation": validation},
        final=final,
        figures=show.figures(**figures),
    )


@functools.lru_cache(maxsize=8)
def asked(task: str, part: str, longest: int, count: int) -> data.Split:
    """Questions of lengths up to the longest."""
    return algorithmic.questions(task, part, range(1, longest + 1), count)


def answers(models: Mapping[str, nn.Module], length: int, split: data.Split) -> Probe:
    """Probe of a split: how often whole answers are right, up to the longest in training and beyond."""

    def measure(key, state: Mapping[str, Learner], batch):
        seen, following, mask = batch["token"][:, :-1], batch["token"][:, 1:], batch["mask"]
        real, told = mask.max(-1), {}
        for kind, model in models.items():
            logits = model.apply(state[kind].variables, seen)
            is_right = exact_match(logits, following, mask).astype(jnp.float32)
            is_token = (logits.argmax(-1) == following) * mask
            told |= {
                f"{kind}_exact": Mean.of(is_right, real * (batch["length"] <= length)),
                f"{kind}_longer": Mean.of(is_right, real * (batch["length"] > length)),
                f"{kind}_loss": surprise(logits, following, mask)["loss"],
                f"{kind}_right": is_right,
                f"{kind}_tokens": is_token.sum(-1) / jnp.maximum(mask.sum(-1), 1),
            }
        return told

    return full_pass(measure, data.padded(split, AT_ONCE), len(split))


def optimizer(cfg: Config, kind: Kind) -> optax.GradientTransformation:
    """AdamW, on a warm-up and a cosine."""
    rate, decay = (cfg.gpt_rate, cfg.gpt_decay) if kind == "gpt" else (cfg.learning_rate, cfg.weight_decay)
    shape = optax.warmup_cosine_decay_schedule(0.0, 1.0, min(100, cfg.num_steps - 1), max(cfg.num_steps, 2), 0.1)
    adamw = optax.adamw(lambda step: rate * shape(step), b2=0.99, weight_decay=decay)
    return optax.chain(optax.clip_by_global_norm(1.0), adamw)


def shown(task: str, farthest: int, length: int) -> dict[str, np.ndarray]:
    """Test questions as columns: `SHOWN` each of some lengths up to the longest in training, and beyond."""
    lengths = sorted(
        {max(length // 2, 2), length, length + 1, min(3 * length // 2, farthest), min(2 * length, farthest)}
    )
    found = asked(task, "test", farthest, SHOWN)
    rows = [np.flatnonzero(found.arrays["length"] == n)[:SHOWN] for n in lengths]
    return found.take(np.concatenate(rows))


def answered(model: nn.Module, variables: PyTree, token: Array, is_answer: np.ndarray) -> Array:
    """`token` `[N, T + 1]` with what a model says greedily where `is_answer` `[N, T]`, after what it said before."""
    is_asked = np.arange(is_answer.shape[1])[None] <= is_answer.argmax(1)[:, None]  # up to "="
    length, count = int(is_asked.sum(1).max()), int(is_answer.sum(1).max())
    cache = model.empty_cache(len(token), length + count - 1)
    prompt, mask = token[:, :length], is_asked[:, :length]
    said = generate(jax.random.key(0), reading(model, variables), cache, prompt, count, mask=mask).token
    place = np.maximum(np.cumsum(is_answer, 1) - 1, 0).clip(max=count - 1)
    return token.at[:, 1:].set(jnp.where(is_answer, jnp.take_along_axis(said, place, 1), token[:, 1:]))


def lengths_figure(outcome: run.Outcome, *, cfg: Config, lengths: np.ndarray, longest: int) -> Figure:
    """How often the whole answer is right, and each of its tokens, by the length of the question."""
    figure, axes = show.panel(1, 2, size=(3.9, 3.0))
    places, named = np.unique(lengths), {}
    for ax, what in zip(axes[0], ("right", "tokens"), strict=True):
        ax.axvspan(0.5, longest + 0.5, color="0.92", linewidth=0)
        ax.text(longest / 2 + 0.5, 1.06, "trained", ha="center", va="center", fontsize=8, color="0.4")
        for kind, color, mark in zip(cfg.models, show.COLORS, MARKS, strict=False):
            values = outcome.arrays[f"test/{kind}_{what}"]
            mean = [values[lengths == n].mean() for n in places]
            (named[NAMES[kind]],) = ax.plot(places, mean, color=color, marker=mark, markersize=3)
        ax.set(xlim=(0.5, places[-1] + 0.5), ylim=(-0.03, 1.12), yticks=np.linspace(0, 1, 6), xlabel=UNITS[cfg.task])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0, 0].set_ylabel("share of test questions")
    axes[0, 0].set_title("the whole answer is right", fontsize=9)
    axes[0, 1].set_title("a token is, after a right beginning", fontsize=9)
    figure.suptitle(TITLES[cfg.task], fontsize=10)
    figure.legend(named.values(), named, loc="outside lower center", ncols=len(named), fontsize=8, frameon=False)
    return figure


def learning_figure(outcome: run.Outcome, *, cfg: Config, longest: int) -> Figure:
    """How often the whole answer to held-out questions as long as in training is right, while the networks learn."""
    return show.curves(
        {NAMES[kind]: f"validation/{kind}_exact" for kind in cfg.models},
        y_label="share of answers wholly right",
        title=f"Held-out questions of lengths 1 to {longest}",
    )(outcome)


def examples_figure(outcome: run.Outcome, *, cfg: Config, examples: Mapping[str, np.ndarray], longest: int) -> Figure:
    """Questions of growing length, and what each network says, its wrong tokens in colour."""
    names = ["right", *(NAMES[kind] for kind in cfg.models)]
    said = [examples["token"], *(outcome.arrays[f"examples/{kind}"] for kind in cfg.models)]
    is_answer = examples["mask"] > 0
    first = is_answer.argmax(1)  # places of "="
    widths = [first.max() + 1, *(max(is_answer.sum(1).max(), len(name)) for name in names)]
    starts = np.cumsum([0, *(width + GAP for width in widths)])
    rows = len(first)
    figure, axes = show.panel(size=(0.085 * starts[-1] + 0.6, 0.21 * rows + 0.75))
    ax = axes[0, 0]
    write = functools.partial(ax.text, ha="center", va="center", fontsize=8, family="monospace")
    for name, start in zip(names, starts[1:], strict=False):
        ax.text(start, -1.2, name, fontsize=8, color="0.4", va="center")
    for row in range(rows):
        line = row + (examples["length"][row] > longest) * 0.6  # apart: what is longer than in training
        for place, token in enumerate(examples["token"][row, : first[row] + 1]):
            write(starts[1] - GAP - first[row] + place, line, algorithmic.ALPHABET[token])
        for start, tokens in zip(starts[1:], said, strict=False):
            told, right = (columns[row, 1:][is_answer[row]] for columns in (tokens, examples["token"]))
            for place, (token, wanted) in enumerate(zip(told, right, strict=True)):
                color = "0.1" if token == wanted else show.COLORS[1]
                write(start + place + 0.5, line, algorithmic.ALPHABET[token], color=color)
    ax.set(xlim=(-1, starts[-1]), ylim=(rows + 0.6, -2))
    ax.set_title("Greedy answers to test questions", fontsize=10)
    ax.axis("off")
    return figure


if __name__ == "__main__":
    run.main(__name__)
