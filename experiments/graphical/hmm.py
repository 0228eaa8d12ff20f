"""Vowels and consonants, found by a machine that knows neither; and a casino whose die is sometimes loaded.

Baum-Welch (Baum et al. 1970) on the letters of the documentation that Python carries (`pydoc_data.topics`), 26 and the
space, as Cave & Neuwirth 1980 did for English: two hidden states. The text is that of the running version of Python.
Beside the run, a casino (Durbin et al. 1998, Biological Sequence Analysis, section 3.1): where the loaded die is
believed to be in play, by the true model; and what eight starts of Baum-Welch learn from 4,800 rolls.

    python -m experiments.graphical
    python -m experiments.graphical --num_states 4 --sweep prior_count=0.001,0.1,1

Expected: 2.73 nats a letter, where letters alone have 2.84; half a minute.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import Algorithm, Key, Mean, PyTree, trace, tree
from adl.graphical import HMM, Chain, baum_welch, hmm, parallel_hmm
from adl.graphical.baum_welch import log_likelihood
from adl.prob import exponential_family as ef

LETTERS = "abcdefghijklmnopqrstuvwxyz_"  # the last stands for all else
VOWELS = "aeiou"
LENGTH, NUM_TRAIN, NUM_TEST = 512, 64, 16  # letters of a sequence, and sequences
NUM_ROLLS, NUM_GAMES, NUM_STARTS, NUM_LEARN = 300, 16, 8, 100
FAIR, LOADED = np.full(6, 1 / 6), np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.5])
SWITCH = np.array([[0.95, 0.05], [0.1, 0.9]])


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 150
    batch_size: run.Count = NUM_TRAIN  # sequences of 512 letters a step; the default is all
    log_every: run.Count = 1
    eval_every: run.Count = 10
    num_states: run.Count = 2  # of the letters
    prior_count: run.Positive = 1e-3  # imagined letters of each state
    num_starts: run.Count = 8  # the likeliest of so many goes on, after 20 steps of each


PROTOCOL = "letters of pydoc_data.topics (of Python 3.11.7), 32,768 to learn and the 8,192 after them to test: "
CLAIMS = (
    run.Claim(
        metric="test/agreement",
        at_least=0.85,
        protocol=f"{PROTOCOL}the likelier state of each letter to test, without spaces, agrees with whether it is one "
        "of a, e, i, o, u",
        reference="0.62 if every letter is called a consonant; that two states of English are vowels and consonants: "
        "Cave & Neuwirth 1980",
    ),
    run.Claim(
        metric="test/gain",
        at_least=0.05,
        protocol=f"{PROTOCOL}nats a letter to test below the cross-entropy of independent letters",
        reference="0 for one state, whose maximum likelihood is in closed form the frequencies",
    ),
    run.Claim(
        metric="casino/learned",
        at_least=0.0,
        protocol="casino, 16 games of 300 rolls: log-likelihood of the best of 8 starts less the truth's, in nats",
        reference="above 0: the truth has not more than the maximum",
    ),
    run.Claim(
        metric="casino/calibration",
        at_least=-3.5,
        at_most=3.5,
        protocol="casino, 16 games: errors of the likelier state less their expectation by the smoothed posterior, in "
        "standard errors over games",
        reference="0: the posterior is exact",
    ),
)
SMOKE = {"num_steps": 3, "num_starts": 2}
SWEEP = "prior_count=0.001,0.1"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A hidden Markov model of letters, what its states say, and a casino."""
    train, test = text()
    family = ef.categorical(len(LETTERS))
    share = np.bincount(train.ravel(), minlength=len(LETTERS)) / train.size
    alone = -np.log(share)[test].mean()  # of independent letters, in nats
    is_vowel = np.isin(list(LETTERS), list(VOWELS))

    def look(key, model):
        x = jnp.asarray(test)
        seen = jax.vmap(lambda x: hmm.smooth(model.chain, log_likelihood(family, model.emission, x)))(x)
        loss = Mean(-seen.filtered.log_evidence.sum(), jnp.float32(x.size))
        first = (seen.smoothed[..., 0] > 0.5) == jnp.asarray(is_vowel)[x]
        agreement = Mean.of(first.astype(jnp.float32), (x < len(LETTERS) - 1).astype(jnp.float32))
        # States have no names: the first may be either.
        either = Mean(jnp.maximum(agreement.total, agreement.count - agreement.total), agreement.count)
        return {
            "loss": loss,
            "gain": Mean.of(alone - loss.value),
            "agreement": either,
            "emission": jax.nn.softmax(model.emission),
            "transition": model.chain.transition,
            "smoothed": seen.smoothed[0, :64],
        }

    make = functools.partial(
        baum_welch, cfg.num_states, family, prior_count=cfg.prior_count, smoother=parallel_hmm.smooth
    )
    return run.Experiment(
        make(start=likeliest(make(), cfg.num_starts), axis=axis),
        data.shuffled(data.Split({"x": train}), cfg.batch_size),
        probes={"test": look},
        final={"casino": casino},
        figures=show.figures(
            letters=functools.partial(letters_figure, test=test),
            loss=functools.partial(loss_figure, alone=alone),
            casino=casino_figure,
            learned=learned_figure,
        ),
    )


def text() -> tuple[np.ndarray, np.ndarray]:
    """Letters `[N, T]` as numbers, to learn and to test."""
    from pydoc_data.topics import topics

    words = re.sub("[^a-z]+", "_", " ".join(topics[name] for name in sorted(topics)).lower())
    letters = np.array([LETTERS.index(letter) for letter in words[: LENGTH * (NUM_TRAIN + NUM_TEST)]], np.int32)
    return np.split(letters.reshape(-1, LENGTH), [NUM_TRAIN])


def likeliest(algorithm: Algorithm, num_starts: int, num_steps: int = 20) -> Callable[[Key, PyTree], HMM]:
    """The likeliest of so many random starts, after some steps of each."""

    def start(key, batch):
        def one(key):
            init_key, key = jax.random.split(key)
            model, _ = trace(algorithm, num_steps, view=lambda model: ())(key, algorithm.init(init_key, batch), batch)
            _, metrics = algorithm.step(key, model, batch)
            return model, metrics["loss"].value

        models, losses = jax.vmap(one)(jax.random.split(key, num_starts))
        return tree.take(models, losses.argmin())

    return start


def casino(key: jax.Array, model: HMM) -> dict[str, Mean | jax.Array]:
    """Rolls of a die that is sometimes changed: what is known of it, and what is learned."""
    family, dice = ef.categorical(6), jnp.asarray(np.stack([FAIR, LOADED]), jnp.float32)
    truth = HMM(
        Chain(hmm.stationary(jnp.asarray(SWITCH, jnp.float32)), jnp.asarray(SWITCH, jnp.float32)), jnp.log(dice)
    )
    state_key, roll_key, start_key = jax.random.split(jax.random.key(0), 3)  # the casino is not the run's own luck
    states = jax.vmap(lambda key: hmm.sample(key, truth.chain, NUM_ROLLS))(jax.random.split(state_key, NUM_GAMES))
    rolls = jax.random.categorical(roll_key, truth.emission[states])

    def log_p(model, x):
        return hmm.forward(model.chain, log_likelihood(family, model.emission, x)).log_evidence.sum()

    def total(model):
        return jax.vmap(log_p, (None, 0))(model, rolls).sum()

    def learn(key):
        algorithm = baum_welch(2, family)
        first = algorithm.init(key, {"x": rolls})
        learned, path = trace(algorithm, NUM_LEARN, total)(key, first, {"x": rolls})
        return learned, jnp.concatenate([total(first)[None], path])

    learned, paths = jax.vmap(learn)(jax.random.split(start_key, NUM_STARTS))
    best = paths[:, -1].argmax()
    given = jax.vmap(lambda x: log_likelihood(family, truth.emission, x))(rolls)
    seen = jax.vmap(hmm.smooth, (None, 0))(truth.chain, given)
    path, _ = jax.vmap(hmm.viterbi, (None, 0))(truth.chain, given)
    wrong = seen.smoothed.argmax(-1) != states
    surplus = (wrong - seen.smoothed.min(-1)).mean(1)
    return {
        "learned": Mean.of(paths[best, -1] - total(truth)),
        "calibration": Mean.of(surplus.mean() / (surplus.std(ddof=1) / NUM_GAMES**0.5)),
        "smoothed_error": Mean.of(wrong.astype(jnp.float32)),
        "viterbi_error": Mean.of((path != states).astype(jnp.float32)),
        "filtered_error": Mean.of((seen.filtered.filtered.argmax(-1) != states).astype(jnp.float32)),
        "states": states[0],
        "rolls": rolls[0],
        "filtered": seen.filtered.filtered[0, :, 1],
        "smoothed": seen.smoothed[0, :, 1],
        "path": path[0],
        "paths": paths,
        "truth": total(truth),
        "dice": jax.nn.softmax(learned.emission[best]),
    }


def letters_figure(outcome: run.Outcome, *, test: np.ndarray) -> Figure:
    """What each state says, and which state each letter of a line is believed to come from."""
    emission, smoothed = outcome.arrays["test/emission"], outcome.arrays["test/smoothed"]
    order = np.argsort(-emission[:, [LETTERS.index(v) for v in VOWELS]].sum(1))  # that of the vowels first
    figure, axes = show.panel(2, 1, size=(7.2, 2.2))
    top, bottom = axes[:, 0]
    width, place = 0.8 / len(order), np.arange(len(LETTERS))
    for i, k in enumerate(order):
        color = show.COLORS[i % len(show.COLORS)]
        top.bar(place + (i - (len(order) - 1) / 2) * width, emission[k], width, color=color, label=f"state {i + 1}")
        bottom.plot(smoothed[:, k], color=color, drawstyle="steps-mid")
    top.set_xticks(place, ["␣" if letter == "_" else letter for letter in LETTERS])
    top.set(ylabel="p(letter | state)", title="What the states say")
    top.legend(fontsize=8, frameon=False)
    line = [LETTERS[i] for i in test[0, : len(smoothed)]]
    bottom.set_xticks(range(len(line)), ["␣" if letter == "_" else letter for letter in line], fontsize=6.5)
    bottom.set(ylabel="p(state | text)", xlabel="the test text", ylim=(-0.03, 1.03), title="Who says it")
    bottom.margins(x=0.01)
    return figure


def loss_figure(outcome: run.Outcome, *, alone: float) -> Figure:
    """The likelihood, which no step lowers on the training text."""
    return show.curves(
        {"training text, before the step": "train/loss", "test text": "test/loss"},
        y_label="−log p (nats a letter)",
        title="Letters by a hidden Markov model",
        references={"independent letters": alone},
    )(outcome)


def casino_figure(outcome: run.Outcome) -> Figure:
    """Where the loaded die is in play, and where it is believed to be, by what came before and by all."""
    seen = {name: outcome.arrays[f"casino/{name}"] for name in ("states", "rolls", "filtered", "smoothed", "path")}
    time = np.arange(NUM_ROLLS)
    figure, axes = show.panel(3, 1, size=(7.2, 1.6))
    kinds = {"rolls": "rolls", "filtered": "filtered", "smoothed": "smoothed, and the best path (Viterbi)"}
    for ax, (name, title) in zip(axes[:, 0], kinds.items(), strict=True):
        top = 6.6 if name == "rolls" else 1.05
        ax.fill_between(time, 0, top, where=seen["states"] == 1, color="0.85", step="mid", linewidth=0)
        ax.set(xlim=(0, NUM_ROLLS), ylim=(0, top))
        error = "" if name == "rolls" else f": errors {outcome.last(f'casino/{name}_error'):.1%}"
        ax.set_title(title + error, loc="left")
    axes[0, 0].plot(time, seen["rolls"] + 1, ".", markersize=3, color="black")
    axes[0, 0].set(ylabel="eyes", yticks=[1, 6])
    axes[0, 0].set_title("grey: the loaded die", loc="right", fontsize=8)
    axes[1, 0].plot(time, seen["filtered"], color=show.COLORS[0])
    axes[2, 0].plot(time, seen["smoothed"], color=show.COLORS[0])
    axes[2, 0].plot(time, seen["path"], color=show.COLORS[1], drawstyle="steps-mid", linewidth=1)
    axes[2, 0].set_title(f"path: errors {outcome.last('casino/viterbi_error'):.1%}", loc="right", fontsize=8)
    for ax in axes[1:, 0]:
        ax.set_ylabel("p(loaded)")
    axes[2, 0].set_xlabel("roll")
    return figure


def learned_figure(outcome: run.Outcome) -> Figure:
    """Baum-Welch from eight starts, beside the truth; and the dice of the best."""
    paths, truth, dice = (outcome.arrays[f"casino/{name}"] for name in ("paths", "truth", "dice"))
    figure, axes = show.panel(1, 2, size=(3.6, 2.8))
    left, right = axes[0]
    left.plot(paths.T - truth, color=show.COLORS[0], linewidth=0.9)
    left.axhline(0, color=show.COLORS[1], linestyle="--", label="the truth")
    left.set(xlabel="step", ylabel="log-likelihood less the truth's (nats)", ylim=(-120, 20))
    left.set_title(f"Casino: {len(paths)} starts")
    left.legend(loc="lower right", fontsize=8, frameon=False)
    eyes = np.arange(1, 7)
    loaded = dice[:, -1].argmax()
    for i, (k, true) in enumerate(((1 - loaded, FAIR), (loaded, LOADED))):
        right.bar(eyes + 0.4 * i - 0.2, dice[k], 0.36, color=show.COLORS[i], label=("fair", "loaded")[i])
        right.plot(eyes + 0.4 * i - 0.2, true, "_", color="black", markersize=12)
    right.set(xlabel="eyes", ylabel="probability", title="Dice of the best; lines: the truth")
    right.legend(loc="upper left", fontsize=8, frameon=False)
    return figure


if __name__ == "__main__":
    run.main(__name__)
