"""Restoration of binary images, by every way of asking the pixels' neighbours."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from adl.core import Key, trace
from adl.graphical import ising
from adl.graphical.factor_graph import belief_propagation, beliefs, grid
from adl.graphical.ising import Ising


def cleaned(model: Ising, *, num_sweeps: int) -> Callable[..., Array]:
    """`(key, state, pictures [N, H, W, 1] uint8) -> [N, H, W, 1]` in {0, 1}: by `icm`, from black and white; no state.

    Args:
      model: of the pixels.
      num_sweeps: T >= 1.
    """

    def clean(key, state, image):
        batch = {"image": jnp.where(image[..., 0] > 127, 1.0, -1.0)}
        algorithm = ising.icm(model)
        found, _ = trace(algorithm, num_sweeps, lambda image: ())(key, algorithm.init(key, batch), batch)
        return (1 + found[..., None]) / 2

    return clean


def restored(
    key: Key, model: Ising, noisy: Array, *, num_sweeps: int, damping: float = 0.5
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Images by each way, of the same number of sweeps; and the mean energies of some after each.

    Args:
      key: of Gibbs sampling, of whose sweeps the first third does not count.
      model: of the pixels.
      noisy: `[N, H, W]` in {-1, 1}.
      num_sweeps: T >= 3.
      damping: of messages, in [0, 1).
    Returns:
      Images `[N, H, W]` by "icm", "mean_field", "gibbs", "max_product", "sum_product"; paths `[T]` in nats an image.
    """
    batch = {"image": noisy}
    signs, graph = jax.vmap(lambda y: ising.potentials(model, y))(noisy), grid(*noisy.shape[1:])

    def swept(algorithm, batch, view):
        return trace(algorithm, num_sweeps, view)(key, algorithm.init(key, batch), batch)

    def mean_energy(images):
        return energies(model, images, noisy).mean()

    def messages(semiring):
        algorithm = belief_propagation(graph, semiring=semiring, damping=damping)
        state, path = swept(algorithm, {"potentials": signs}, lambda state: mean_energy(decided(state)))
        return decided(state), path

    def decided(state):
        """The likelier value of each pixel, of two alike what was seen; max-marginals are read as marginals are."""
        log_p = jax.vmap(lambda p, m: beliefs(graph, p, m).variables)(signs, state)
        odds = (log_p[..., 1] - log_p[..., 0]).reshape(noisy.shape)
        return jnp.where(odds == 0, noisy, jnp.sign(odds))

    found, paths = {}, {}
    found["icm"], paths["icm"] = swept(ising.icm(model), batch, mean_energy)
    means, _ = swept(ising.mean_field(model), batch, lambda m: ())
    gibbs = ising.gibbs(model, num_warmup=num_sweeps // 3)
    draws, paths["gibbs"] = swept(gibbs, batch, lambda draws: mean_energy(draws.image))
    found |= {"mean_field": jnp.sign(means), "gibbs": jnp.where(draws.total > 0, 1.0, -1.0)}
    found["max_product"], paths["max_product"] = messages("max")
    found["sum_product"], _ = messages("sum")
    return found, paths


def energies(model: Ising, images: Array, noisy: Array) -> Array:
    """`ising.energy` `[N]` of images `[N, H, W]` behind noisy ones, in nats."""
    return jax.vmap(lambda x, y: ising.energy(model, x, y))(images, noisy)
