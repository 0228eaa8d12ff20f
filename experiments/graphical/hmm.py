"""Vowels and consonants, found by a machine that knows neither.

Baum-Welch (Baum et al. 1970) on the letters of the documentation that Python carries (`pydoc_data.topics`), 26 and the
space, as Cave & Neuwirth 1980 did for English: two hidden states. The text is that of the running version of Python.

    python -m experiments.graphical
    >>> letters = run.load("runs/graphical/hmm").generate("the ")
    python -m experiments.graphical --num_states 4 --sweep prior_count=0.001,0.1,1

Expected: 2.73 nats a letter, where letters alone have 2.84; half a minute.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import Key, Mean
from adl.data import letters
from adl.data.letters import LETTERS, VOWELS
from adl.graphical import hmm, parallel_hmm
from adl.graphical.baum_welch import HMM, baum_welch, goes_on, likeliest, log_likelihood
from adl.prob import exponential_family as ef

LENGTH, NUM_TRAIN, NUM_TEST = 512, 64, 16  # letters of a sequence, and sequences


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    any_length = True
    num_steps: run.Count = 150
    batch_size: run.Count = NUM_TRAIN  # sequences of 512 letters a step; the default is all
    log_every: run.Count = 1
    eval_every: run.Count = 10
    num_states: run.Count = 2  # of the letters
    prior_count: run.Positive = 1e-3  # imagined letters of each state
    num_starts: run.Count = 8  # the likeliest of so many goes on, after 20 steps of each


PROTOCOL = f"{letters.PROTOCOL.format(LENGTH * NUM_TRAIN, LENGTH * NUM_TEST)}: "
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
)
SMOKE = {"num_steps": 2, "num_starts": 2}
SWEEP = "prior_count=0.001,0.1"  # of the tests


class Text(NamedTuple):
    """What is read."""

    train: np.ndarray  # [N, T]
    test: np.ndarray  # [M, T]
    alone: float  # cross-entropy of independent letters to test, in nats


def load(cfg: Config) -> Text:
    """Letters to learn and to test."""
    train, test = letters.sequences(NUM_TRAIN, NUM_TEST, LENGTH)
    return Text(train, test, letters.independent(train, test))


def build(cfg: Config, loaded: Text, axis: str | None) -> run.Experiment:
    """A hidden Markov model of letters, and what its states say."""
    make = functools.partial(
        *(baum_welch, cfg.num_states, ef.categorical(len(LETTERS))),
        prior_count=cfg.prior_count,
        smoother=parallel_hmm.smooth,
    )
    written = run.Text(letters.letters_of, lambda token: "".join(LETTERS[i] for i in token))
    said = {"names": LETTERS, "first": VOWELS, "line": loaded.test[0]}
    return run.Experiment(
        make(start=likeliest(make(), cfg.num_starts), axis=axis),
        data.shuffled(data.Split({"x": loaded.train}), cfg.batch_size),
        probes={"test": Partial(look, loaded)},
        offers={"generate": run.Offer(goes_on, written, written)},
        figures=show.figures(
            letters=show.of(show.letters, "test/emission", "test/smoothed", **said),
            loss=show.curves(
                {"training text, before the step": "train/loss", "test text": "test/loss"},
                y_label="−log p (nats a letter)",
                title="Letters by a hidden Markov model",
                references={"independent letters": loaded.alone},
            ),
        ),
    )


def look(text: Text, key: Key, model: HMM) -> Mapping[str, Mean | Array]:
    """How probable the letters to test are, and whether the states are vowels and consonants."""
    x, family = text.test, ef.categorical(len(LETTERS))
    seen = jax.vmap(lambda x: hmm.smooth(model.chain, log_likelihood(family, model.emission, x)))(x)
    loss = Mean(-seen.filtered.log_evidence.sum(), jnp.float32(x.size))
    first = (seen.smoothed[..., 0] > 0.5) == jnp.asarray(VOWELS)[x]
    agreement = Mean.of(first.astype(jnp.float32), (x < len(LETTERS) - 1).astype(jnp.float32))
    # States have no names: the first may be either.
    either = Mean(jnp.maximum(agreement.total, agreement.count - agreement.total), agreement.count)
    return {
        "loss": loss,
        "gain": Mean.of(text.alone - loss.value),
        "agreement": either,
        "emission": jax.nn.softmax(model.emission),
        "transition": model.chain.transition,
        "smoothed": seen.smoothed[0, :64],
    }


if __name__ == "__main__":
    run.main(__name__)
