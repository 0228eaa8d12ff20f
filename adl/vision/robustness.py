"""What attacks leave of a network's accuracy: by radius, beside another's, and whether gradients hide some of it.

All networks have one architecture, and all attacks by gradient are one program, which a table of `Trial`s tells what to
do: it compiles once. `networks(state)` gives the variables of M networks, stacked along a leading axis.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Mean, Probe, PyTree, full_pass, tree
from adl.data.image import unit
from adl.prob.labels import cross_entropy, is_correct
from adl.vision.adversarial import NORMS, Norm, margin, projected_gradient, square_attack

Networks = Callable[[PyTree], PyTree]  # state -> variables [M, ...] of M networks of one architecture
BATCH = 500  # pictures at once
RADII = np.array([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2])  # of attacks, of the one that is asked about
AT = 4  # where that is
MORE = 5  # times as many steps, which should not be much stronger


class Trial(NamedTuple):
    """An attack by gradient on one of the networks, and which of them is judged by it; or `[A]` of them."""

    network: Array  # that is judged, in 0 ... M - 1
    epsilon: Array  # radius
    surrogate: Array  # that is attacked; the same, or another: a transfer
    num_steps: Array = 20  # PGD's
    pace: Array = 2.5  # as in `projected_gradient`
    start: Array = 1.0  # as there
    by_margin: Array = False  # whether it climbs the margin, instead of the cross-entropy
    norm: Array = 0  # of the ball, its place among those that the table is given

    @classmethod
    def pgd(cls, network: int, epsilon: float, num_steps: int = 20, **more) -> "Trial":
        """PGD on the network itself."""
        return cls(**{"network": network, "epsilon": epsilon, "surrogate": network, "num_steps": num_steps, **more})

    @classmethod
    def fgsm(cls, network: int, epsilon: float) -> "Trial":
        """One step from the picture itself, `adversarial.fast_gradient`."""
        return cls.pgd(network, epsilon, 1, pace=1.0, start=0.0)

    def worst(
        self, key: Key, model: nn.Module, networks: PyTree, norms: Sequence[Norm], x: Array, label: Array
    ) -> Array:
        """`[B, ...]` what the attack makes of pictures x."""

        def loss(x, label):
            logits = model.apply(tree.take(networks, self.surrogate), x)
            return jnp.where(self.by_margin, margin(logits, label), cross_entropy(logits, label))

        options = {name: getattr(self, name) for name in ("epsilon", "num_steps", "pace", "start")}
        return projected_gradient(key, loss, x, label, norm=_told(norms, self.norm), **options)


def _told(norms: Sequence[Norm], number: Array) -> Norm:
    """One of several norms, by its number `[]`, which may be traced: an attack under any of them is one program."""
    if len(norms) == 1:
        return norms[0]
    return Norm(*(lambda *of, fns=fns: lax.switch(number, fns, *of) for fns in zip(*norms, strict=True)))


def under_attack(
    model: nn.Module, networks: Networks, trials: Mapping[str, Trial], *, norms: Sequence[Norm], split: data.Split
) -> Probe:
    """Probe: by the name of each trial `[N]`, 1 where the network that is judged still names a picture rightly.

    Args:
      model: `[B, ...] -> [B, K]` of pictures in [0, 1].
      networks: as the module says.
      trials: by name.
      norms: of the attacks, as `Trial.norm` counts them.
      split: N examples with "image" and "label".
    """
    table = jax.tree.map(lambda *values: jnp.stack([jnp.asarray(v) for v in values]), *trials.values())

    def measure(key: Key, variables: PyTree, batch) -> dict[str, Array]:
        x, label = unit(batch["image"]), batch["label"]

        def one(trial):
            worst = trial.worst(key, model, variables, norms, x, label)
            return is_correct(model.apply(tree.take(variables, trial.network), worst), label)

        return {"right": lax.map(one, table).T}

    look = full_pass(measure, data.padded(split.require("image", "label"), min(BATCH, len(split))), len(split))

    def probe(look, key: Key, state: PyTree) -> dict[str, Array]:
        return dict(zip(trials, look(key, networks(state))["right"].T, strict=True))

    return Partial(probe, look)


def under_squares(
    model: nn.Module, networks: Networks, *, network: int, epsilon: float, num_queries: int, split: data.Split
) -> Probe:
    """Probe: `right` `[N]` of one network after the square attack in l-infinity, up the margin.

    Args:
      model: as in `under_attack`, of pictures `[B, H, W, C]`.
      networks: as there.
      network: that is attacked and judged.
      epsilon: radius.
      num_queries: as in `square_attack`.
      split: as in `under_attack`.
    """

    def measure(key: Key, variables: PyTree, batch) -> dict[str, Array]:
        def tell(x):
            return model.apply(tree.take(variables, network), x)

        x, label = unit(batch["image"]), batch["label"]
        options = {"epsilon": epsilon, "num_queries": num_queries}
        return {
            "right": is_correct(tell(square_attack(key, lambda x, y: margin(tell(x), y), x, label, **options)), label)
        }

    look = full_pass(measure, data.padded(split.require("image", "label"), min(BATCH, len(split))), len(split))
    return Partial(lambda look, key, state: look(key, networks(state)), look)


def by_radius(names: Sequence[str], epsilons: Sequence[float], num_steps: int, norm: int = 0) -> dict[str, Trial]:
    """Trials of each network under FGSM and under PGD, at each radius: "NAME fgsm E", "NAME pgd E"."""
    kinds = {"fgsm": Trial.fgsm, "pgd": lambda network, epsilon: Trial.pgd(network, epsilon, num_steps)}
    return {
        f"{name} {kind} {e}": make(network, epsilon)._replace(norm=norm)
        for network, name in enumerate(names)
        for kind, make in kinds.items()
        for e, epsilon in enumerate(epsilons)
    }


def accuracies(right: Mapping[str, Array], names: Sequence[str], num_radii: int) -> dict[str, Array]:
    """Of trials `by_radius` at E radii the accuracies "NAME fgsm", "NAME pgd" `[E]`, and "..._error"."""
    found = {}
    for name in (f"{name} {kind}" for name in names for kind in ("fgsm", "pgd")):
        rows = jnp.stack([right[f"{name} {e}"] for e in range(num_radii)])
        found |= {name: rows.mean(1), f"{name}_error": rows.std(1) / np.sqrt(rows.shape[1])}
    return found


def compared_with(usual: Array, others: Mapping[str, Array]) -> dict[str, Mean]:
    """Whether other attacks find more than the usual one did, of which robustness is told, on the same pictures.

    Args:
      usual: `[N]` 1 where a picture is still named rightly.
      others: the same after others: more steps, another loss, values alone, a transfer.
    Returns:
      Of each other `NAME_gain`, the accuracy under it less the usual, below 0 where it is the
      stronger, with `NAME_gain_error`, its standard error over the pictures; and the same of `worst`, of the pictures
      that all leave right.
    Source: Athalye, Carlini & Wagner 2018, arXiv:1802.00420, section 3.1.
    """
    all_of_them = {**others, "worst": jnp.stack([usual, *others.values()]).min(0)}
    found = {}
    for name, right in all_of_them.items():
        error = (right - usual).std() / np.sqrt(len(usual))
        found |= {f"{name}_gain": Mean.of(right - usual), f"{name}_gain_error": Mean.of(error)}
    return found


def attacked(
    model: nn.Module,
    networks: Networks,
    epsilons: Mapping[str, float],
    num_steps: int,
    num_queries: int,
    *,
    split: data.Split,
) -> Probe:
    """Probe of what attacks leave of a plain network and of a robust one, whose twin from another seed lends its own.

    Args:
      model: as in `under_attack`.
      networks: the plain, the robust and the twin.
      epsilons: radius by norm: "linf", as in training, and "l2".
      num_steps: of PGD.
      num_queries: of the square attack.
      split: as in `under_attack`.
    Returns:
      `probe(key, state)`: accuracies under PGD in l-infinity, `plain` and `robust`, and `doubled`, the second less
      twice the first; what `compared_with` says of the robust one under `steps`, `MORE` times as many, `margin`, the
      same up the margin, `transfer`, what these make for the twin, and `score`, squares up the margin;
      `worst_doubled`, as `doubled` with all of these on the robust one; and by norm, "NORM radius" and "NORM NAME
      pgd", the `accuracies` at `RADII` times the radius.
    """
    names = ("plain", "robust")
    radii = {norm: epsilon * RADII for norm, epsilon in epsilons.items()}
    order, of_norm = [*epsilons], {norm: [f"{norm} {name}" for name in names] for norm in epsilons}
    more = functools.partial(Trial.pgd, 1, epsilons["linf"], MORE * num_steps, norm=order.index("linf"))
    others = {"steps": more(), "margin": more(by_margin=True), "transfer": more(surrogate=2)}
    trials = dict(others)
    for number, norm in enumerate(order):
        trials |= by_radius(of_norm[norm], radii[norm], num_steps, number)
    looks = {"gradient": under_attack(model, networks, trials, norms=[NORMS[norm] for norm in order], split=split)}
    squares = {"network": 1, "epsilon": epsilons["linf"], "num_queries": num_queries}
    looks["score"] = under_squares(model, networks, **squares, split=split)

    def probe(looks, key: Key, state: PyTree) -> dict[str, Mean | Array]:
        seen = {name: look(key, state) for name, look in looks.items()}
        right = seen["gradient"]
        plain, robust = (right[f"linf {name} pgd {AT}"] for name in names)
        stronger = {name: right[name] for name in others} | {"score": seen["score"]["right"]}
        all_left = jnp.stack([robust, *stronger.values()]).min(0)
        told = {"plain": plain, "robust": robust, "doubled": robust - 2 * plain, "worst_doubled": all_left - 2 * plain}
        found = {name: Mean.of(values) for name, values in told.items()} | compared_with(robust, stronger)
        for norm, radius in radii.items():
            found |= {f"{norm} radius": jnp.asarray(radius), **accuracies(right, of_norm[norm], len(radius))}
        return found

    return Partial(probe, looks)


def attacked_pictures(
    model: nn.Module, networks: Networks, trials: Mapping[str, Trial], *, norm: Norm, pictures: Mapping[str, np.ndarray]
) -> Probe:
    """Probe: of each trial, by its name, its pictures "image NAME" `[P, ...]`, and what is said, "said NAME" `[P, K]`.

    Args:
      model: as in `under_attack`.
      networks: as there.
      trials: as there; of radius 0 the pictures themselves.
      norm: as there.
      pictures: "image" `[P, ...]` and "label" `[P]`, which comes back.
    """
    table = jax.tree.map(lambda *values: jnp.stack([jnp.asarray(v) for v in values]), *trials.values())

    def probe(pictures, key: Key, state: PyTree) -> dict[str, Array]:
        x, label, variables = unit(jnp.asarray(pictures["image"])), jnp.asarray(pictures["label"]), networks(state)

        def one(trial):
            worst = trial.worst(key, model, variables, [norm], x, label)
            return worst, jax.nn.softmax(model.apply(tree.take(variables, trial.network), worst))

        found = {"label": label}
        for name, image, said in zip(trials, *lax.map(one, table), strict=True):
            found |= {f"image {name}": image, f"said {name}": said}
        return found

    return Partial(probe, dict(pictures))
