"""How classifiers of texts do, beside counts of words."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Learner, Mean, Probe, PyTree, full_pass
from adl.core.inheritance import Handed
from adl.data.labelled_texts import HeldOutTexts
from adl.prob.labels import cross_entropy, is_correct

AT_ONCE = 100  # texts of each learner


def learner_of(state: PyTree) -> Learner:
    """That of a classifier, which may have learned other things first."""
    state = getattr(state, "state", state)
    return state.heir if isinstance(state, Handed) else state


def texts_judged(models: Mapping[str, nn.Module], part: HeldOutTexts, right: np.ndarray) -> Probe:
    """Probe: how often each is right about texts that it has not seen, by their kind, and how often counts are.

    Args:
      models: by name, `[B, T] -> [B, K]`; the state of each is of F learners side by side, one for each group.
      part: what they are asked.
      right: of `right_by_counts`.
    Returns:
      `probe(key, state)`: for each model, and for "counts", `NAME_accuracy`; of models `NAME_loss` in nats; where the
      texts are of kinds `NAME_KIND`, the accuracy of each, and arrays `NAME_kinds` of all.
    """
    split = data.Split({**part.split.arrays, "right": right})

    def measure(key, state, batch):
        weight = batch["real"] * batch["mask"][:, None]
        found = {"counts": batch["right"]}
        told = {}
        for name, model in models.items():
            learner = learner_of(state[name])
            logits = jax.vmap(model.apply, (0, 1), 1)(learner.variables, batch["token"])
            found[name] = is_correct(logits, batch["label"])
            told[f"{name}_loss"] = Mean.of(cross_entropy(logits, batch["label"]), weight)
        for name, is_right in found.items():
            told[f"{name}_accuracy"] = Mean.of(is_right, weight)
            for number, kind in enumerate(part.kinds):
                told[f"{name}_{kind_in_metrics(kind)}"] = Mean.of(is_right, weight * (batch["kind"] == number))
        return told

    def probe(passed, key, state):
        told = dict(passed(key, state))
        for name in ("counts", *models) if part.kinds else ():
            told[f"{name}_kinds"] = jnp.stack([told[f"{name}_{kind_in_metrics(kind)}"].value for kind in part.kinds])
        return told

    return Partial(probe, full_pass(measure, data.padded(split, AT_ONCE), len(split)))


def kind_in_metrics(kind: str) -> str:
    """A kind in a metric's name."""
    return kind.replace("(", "").replace(")", "").replace(" ", "_")


def said_by(models: Mapping[str, nn.Module], name: str) -> Callable[..., Array]:
    """`(key, state, token [B, T]) -> [B, K]`, mean logits of the named model's learners, side by side in the state."""

    def say(key, state, token):
        return jax.vmap(models[name].apply, (0, None))(learner_of(state[name]).variables, token).mean(0)

    return say
