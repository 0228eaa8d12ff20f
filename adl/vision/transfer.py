"""Transfer: what was learned on plentiful classes serves others, of which there are few examples.

One body, `[B, ...] -> [B, D]`, under a head for each task. Students of the new task learn beside each other: one from
scratch, one from what the body knows, all of which goes on learning, and one that learns a head on the body as it is.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.traverse_util import flatten_dict
from jax import Array, lax

from adl.core import Algorithm, BadInput, Key, Learner, Mean, Probe, PyTree, beside, full_pass, handing_over, tree
from adl.core.lift import Phases
from adl.data import Split, padded
from adl.prob.labels import cross_entropy, is_correct

Learns = Callable[[nn.Module, optax.GradientTransformation], Algorithm]  # of a network by labels; it moves a `Learner`
STUDENTS = ("scratch", "frozen", "tuned")


class Headed(nn.Module):
    """A body, and an affine map of its features."""

    body: nn.Module  # `[B, ...] -> [B, D]`
    num_classes: int  # K

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits of `x` `[B, ...]`."""
        return nn.Dense(self.num_classes, name="head")(self.body(x))


class OnFrozen(nn.Module):
    """The same, whose body does not learn: its variables are a collection of their own, "frozen".

    It neither drops units nor moves its batch statistics, so that its features are what they were.
    """

    body: nn.Module  # `[B, ...] -> [B, D]`
    num_classes: int  # K

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits of `x` `[B, ...]`."""
        body = self.body.clone(parent=None)
        known = self.variable("frozen", "known", lambda: body.init(self.make_rng("params"), x))
        return nn.Dense(self.num_classes, name="head")(lax.stop_gradient(body.apply(known.value, x)))


def body_of(learner: Learner) -> PyTree:
    """What its body's `apply` takes, of a learner of `Headed`: {"params": ...} and other collections that it has."""
    return {name: of["body"] for name, of in learner.variables.items() if "body" in of}


def transfer(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    learns: Learns,
    num_classes: tuple[int, int],
    periods: tuple[int, int],
    pretrains: Learns | None = None,
    first: optax.GradientTransformation | None = None,
    tuned: optax.GradientTransformation | None = None,
) -> Algorithm:
    """A body that learns plentiful classes first, or no labels; then `students` of others, two of which begin with it.

    A step reports `source_loss` and `source_accuracy` first, then what `students` report.

    Args:
      model: of the body, `[B, ...] -> [B, D]`.
      tx: optax transformation, of each learner its own state.
      learns: `learns(network, tx)`, `supervised.classification.classifier` with its `prepare` and `axis`.
      num_classes: of the plentiful classes, or of what `pretrains` tells apart, and of the others.
      periods: steps of the pretraining, >= 1, and on the others, >= 2, in turn; in the first of these the body is
        handed over, and nothing is learned.
      pretrains: how the body learns first, as `selfsup.rotations.rotation_prediction`; None: as `learns`.
      first: the transformation of the one that learns first; None: `tx`.
      tuned: as of `students`.
    Raises:
      BadInput: for fewer steps.
    Source: Yosinski et al. 2014, arXiv:1411.1792, section 3 (frozen: BnA, tuned: BnA+).
    """
    if periods[0] < 1 or periods[1] < 2:
        raise BadInput(
            f"{periods[0]} steps of the pretraining, {periods[1]} on the others: at least 1 and 2 are needed"
        )
    source = (pretrains or learns)(Headed(model, num_classes[0]), first or tx)
    others = students(model, tx, learns=learns, num_classes=num_classes[1], tuned=tuned)

    def hand_over(source: Learner, others: Mapping[str, Learner]) -> dict[str, Learner]:
        return _beginning(others, body_of(source))

    return handing_over(source, others, hand_over, periods)


def students(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    learns: Learns,
    num_classes: int,
    start: PyTree = None,
    tuned: optax.GradientTransformation | None = None,
) -> Algorithm:
    """Classifiers of the same pictures beside each other: from "scratch", and "frozen" and "tuned" from a start.

    The state is `{name: Learner}`; a step reports `loss` and `accuracy` of each, as "scratch_loss", and of all.

    Args:
      model: of the body, as of `transfer`.
      tx: optax transformation, of each its own state.
      learns: as of `transfer`.
      num_classes: K.
      start: variables of the body, `{"params": ...}` and its other collections; None: its own initial ones.
      tuned: the transformation of the tuned one; None: `tx`.
    Source: Yosinski et al. 2014, arXiv:1411.1792, section 3.
    """
    headed = Headed(model, num_classes)
    ways = {"scratch": (headed, tx), "frozen": (OnFrozen(model, num_classes), tx), "tuned": (headed, tuned or tx)}
    both = beside({name: learns(*of) for name, of in ways.items()})
    if start is None:
        return both
    return both._replace(init=lambda key, batch: _beginning(both.init(key, batch), start))


def students_of(state: PyTree) -> Mapping[str, Learner]:
    """Of the state of `transfer`, or of `students`."""
    return state.state.heir if isinstance(state, Phases) else state


def tuned_arrays(key: Key, state: PyTree) -> dict[str, Array]:
    """Probe: all that the tuned student has learned, by paths: "params/head/bias"."""
    return flatten_dict(students_of(state)["tuned"].variables, sep="/")


def told_by(model: nn.Module, num_classes: int, student: str, learner: Learner, x: Array) -> Array:
    """`[B, K]` of a student that has learned, for `x` `[B, ...]` as the body sees it.

    Args:
      model: of the body.
      num_classes: K.
      student: one of `STUDENTS`.
      learner: its state.
      x: prepared pictures.
    """
    of = OnFrozen if student == "frozen" else Headed
    return of(model, num_classes).apply(learner.variables, x)


def gains(model: nn.Module, num_classes: int, split: Split, encode: Callable[[Array], Array]) -> Probe:
    """Probe: how often each student is right, and by how much each start gains on none.

    Args:
      model: of the body.
      num_classes: K.
      split: "image" and "label".
      encode: from the batch's pictures to what the body sees.
    Returns:
      A probe: "NAME" the accuracy and "NAME_loss" (nats) of each student, "gain_frozen" and "gain_tuned" their
      accuracy less that from scratch, and "probability" `[N, K]` of the tuned one.
    """

    def measure(key: Key, state: PyTree, batch) -> dict[str, Mean | Array]:
        x, label, mask = encode(batch["image"]), batch["label"], batch["mask"]
        found, right = {}, {}
        for name, learner in students_of(state).items():
            outputs = told_by(model, num_classes, name, learner, x)
            right[name] = is_correct(outputs, label).astype(jnp.float32)
            found |= {name: Mean.of(right[name], mask), f"{name}_loss": Mean.of(cross_entropy(outputs, label), mask)}
            if name == "tuned":
                found["probability"] = jax.nn.softmax(outputs)
        for name in ("frozen", "tuned"):
            found[f"gain_{name}"] = Mean.of(right[name] - right["scratch"], mask)
        return found

    return full_pass(measure, padded(split, 500), len(split))


def _beginning(of: Mapping[str, Learner], body: PyTree) -> dict[str, Learner]:
    """The students, two of which have another body."""
    frozen, tuned = of["frozen"], of["tuned"]
    params = {**tuned.params, "body": tree.copy(body["params"])}
    extras = {name: {**kept, "body": tree.copy(body[name])} for name, kept in tuned.extras.items()}
    known = {"frozen": {"known": tree.copy(body)}}
    return {**of, "frozen": frozen._replace(extras=known), "tuned": tuned._replace(params=params, extras=extras)}
