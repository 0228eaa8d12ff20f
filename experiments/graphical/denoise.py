"""Digits behind noise: a Markov random field of pixels, and five ways to ask it what was there.

Geman & Geman 1984; Besag 1986; Bishop 2006, Pattern Recognition and Machine Learning, section 8.3.3. The first 64 test
digits, enlarged to 32 x 32 and made black and white; noise flips 10 % of the pixels. eta is that noise's in closed
form; beta = 1 was best for mean field, of 0.4, 0.6, 0.8, 1, 1.3, 1.6 and 2, on 200 training digits. The run sweeps by
one method; beside it are all, and the exact minimum of the energy, by SciPy's maximum flow.

    python -m experiments.graphical.denoise
    python -m experiments.graphical.denoise --method gibbs --num_steps 200 --sweep beta=0.5,1,2

Expected: of 10.2 % wrong pixels 2.2 % stay with ICM, 1.8 % with the exact minimum and 1.5 % with mean field. A minute.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import Mean, PyTree
from adl.core import trace as traced
from adl.graphical import Ising, belief_propagation, gibbs, icm, ising, mean_field
from adl.graphical.factor_graph import beliefs, grid

SIZE, NUM_IMAGES, NOISE = 32, 64, 0.1
BETA, ETA = 1.0, 0.5 * float(np.log((1 - NOISE) / NOISE))  # of the comparison
UNIT = 10000  # capacities of the flow are integers, in units of 1 / UNIT nats
NUM_SWEEPS = 60  # of each way in the comparison; Gibbs counts the last 40
DRAWN = 6
TITLES = {
    "noisy": "seen",
    "icm": "ICM",
    "gibbs": "Gibbs",
    "mean_field": "mean field",
    "max_product": "max-product",
    "sum_product": "sum-product",
    "exact": "minimum",
}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    method: Literal["icm", "mean_field", "gibbs"] = "icm"
    dataset: str = "digits"  # TFDS name, with "image"
    num_steps: run.Count = 12  # sweeps
    log_every: run.Count = 1
    eval_every: run.Count = 1
    beta: run.NonNegative = BETA  # of neighbours, in nats
    eta: run.NonNegative = ETA  # of a pixel and what is seen of it, in nats


PROTOCOL = "digits: the first 64 test digits at 32 x 32, 10 % of the pixels flipped; 60 sweeps"
CLAIMS = (
    run.Claim(
        metric="compare/mean_field_error",
        at_most=0.0175,
        protocol=f"{PROTOCOL} of mean field; share of wrong pixels",
        reference="1.76 % by the exact minimum of the same energy (SciPy's maximum flow), 10.2 % before",
    ),
    run.Claim(
        metric="compare/max_product_excess",
        at_least=-0.01,
        at_most=1.0,
        protocol=f"{PROTOCOL} of loopy max-product with damping 0.5; energy above the exact minimum, nats an image",
        reference="0 by SciPy's maximum flow, below which nothing can be; ICM 10.4 above it",
    ),
)
SMOKE = {"num_steps": 2}
SWEEP = "beta=0.5,1"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Sweeps over noisy digits, and what is left of the noise."""
    clean, noisy = images(cfg)
    minimum = exact(noisy)
    model = Ising(cfg.beta, cfg.eta)
    make = {"icm": icm, "mean_field": mean_field, "gibbs": gibbs}[cfg.method]

    def look(key, state):
        seen = jnp.where(state.count > 0, state.total, state.image) if cfg.method == "gibbs" else state
        return {"error": wrong(seen, clean)}

    def compare(key, state):
        found, paths = ways(jnp.asarray(noisy))
        found |= {"noisy": jnp.asarray(noisy), "exact": jnp.asarray(minimum)}
        least = energies(found["exact"], noisy)
        seen: dict[str, Any] = {f"{name}_error": wrong(image, clean) for name, image in found.items()}
        seen |= {f"{name}_excess": Mean.of(energies(image, noisy) - least) for name, image in found.items()}
        agree = [jnp.abs(found[name] - found["exact"]).sum((1, 2)) == 0 for name in ("icm", "max_product")]
        seen |= {
            "icm_exact": Mean.of(agree[0].astype("float32")),
            "max_product_exact": Mean.of(agree[1].astype("float32")),
        }
        return {
            **seen,
            **{f"image {name}": image[:DRAWN] for name, image in found.items()},
            **paths,
            "least": least.mean(),
        }

    return run.Experiment(
        make(model),
        Always({"image": noisy}),
        probes={"test": look},
        final={"compare": compare},
        figures=show.figures(
            images=lambda outcome: images_figure(outcome, clean),
            energy=energy_figure,
            error=error_figure,
        ),
    )


class Always(Sequence):
    """The same batch at every step, in the same order: the state has a row for each of its rows."""

    def __init__(self, batch: PyTree):
        self.batch = batch

    def __getitem__(self, step: int) -> PyTree:
        return self.batch

    def __len__(self) -> int:
        return sys.maxsize


def images(cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Digits `[N, 32, 32]` in {-1, 1}, and the same behind noise."""
    small = np.asarray(data.load(cfg.dataset, "test", cfg.data_dir).require("image").arrays["image"][:NUM_IMAGES])
    with jax.ensure_compile_time_eval():  # the experiment is built within the program of a sweep, too
        grey = jax.image.resize(jnp.asarray(small[..., 0] / 255, jnp.float32), (len(small), SIZE, SIZE), "cubic")
        clean = np.where(np.asarray(grey) > 0.5, 1, -1).astype(np.float32)
    flipped = np.random.default_rng(0).random(clean.shape) < NOISE
    return clean, np.where(flipped, -clean, clean)


def exact(noisy: np.ndarray) -> np.ndarray:
    """The images `[N, H, W]` of least energy: a minimal cut, from a maximal flow.

    Source: Greig, Porteous & Seheult 1989, JRSS B 51(2).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    _, pairs = grid(*noisy.shape[1:]).scopes
    num_pixels = noisy[0].size
    source, sink = num_pixels, num_pixels + 1
    pixel = np.arange(num_pixels)
    found = []
    for image in noisy.reshape(len(noisy), -1):
        rows = np.concatenate([pairs[:, 0], pairs[:, 1], np.where(image > 0, source, pixel)])
        cols = np.concatenate([pairs[:, 1], pairs[:, 0], np.where(image > 0, pixel, sink)])
        weights = np.full(len(rows), round(2 * ETA * UNIT), np.int32)
        weights[: 2 * len(pairs)] = round(2 * BETA * UNIT)
        capacity = coo_array((weights, (rows, cols)), shape=(num_pixels + 2, num_pixels + 2)).tocsr()
        rest = capacity - maximum_flow(capacity, source, sink).flow
        rest.eliminate_zeros()
        reached = np.full(num_pixels + 2, -1, np.float32)
        reached[breadth_first_order(rest, source, return_predecessors=False)] = 1
        found.append(reached[:num_pixels])
    return np.stack(found).reshape(noisy.shape)


def ways(noisy: jax.Array) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Images by each way, of the same number of sweeps; and the mean energies of some after each."""
    model, batch, key = Ising(BETA, ETA), {"image": noisy}, jax.random.key(0)
    signs, graph = jax.vmap(lambda y: ising.potentials(model, y)), grid(SIZE, SIZE)

    def swept(algorithm, batch, view):
        state, path = traced(algorithm, NUM_SWEEPS, view)(key, algorithm.init(key, batch), batch)
        return state, path

    def messages(semiring):
        algorithm = belief_propagation(graph, semiring=semiring, damping=0.5)
        state, path = swept(
            algorithm, {"potentials": signs(noisy)}, lambda state: energies(decided(state), noisy).mean()
        )
        return decided(state), path

    def decided(state):
        """The likelier value of each pixel; max-marginals are read as marginals are."""
        log_p = jax.vmap(lambda p, m: beliefs(graph, p, m).variables)(signs(noisy), state)
        return jnp.where(log_p[..., 1] > log_p[..., 0], 1.0, -1.0).reshape(noisy.shape)

    found, paths = {}, {}
    found["icm"], paths["energy icm"] = swept(icm(model), batch, lambda x: energies(x, noisy).mean())
    means, _ = swept(mean_field(model), batch, lambda m: ())
    draws, paths["energy gibbs"] = swept(
        gibbs(model, num_warmup=20), batch, lambda draws: energies(draws.image, noisy).mean()
    )
    found |= {"mean_field": jnp.sign(means), "gibbs": jnp.where(draws.total > 0, 1.0, -1.0)}
    found["max_product"], paths["energy max_product"] = messages("max")
    found["sum_product"], _ = messages("sum")
    return found, paths


def energies(images: jax.Array, noisy: jax.Array) -> jax.Array:
    """E `[N]` in nats."""
    return jax.vmap(lambda x, y: ising.energy(Ising(BETA, ETA), x, y))(jnp.asarray(images), jnp.asarray(noisy))


def wrong(seen: jax.Array, clean: np.ndarray) -> Mean:
    """Share of the pixels whose sign is not that of the clean image."""
    return Mean.of((jnp.sign(seen) != jnp.asarray(clean)).astype(jnp.float32))


def images_figure(outcome: run.Outcome, clean: np.ndarray) -> Figure:
    """Some digits, and what each way makes of them."""
    columns = [clean[:DRAWN], *(outcome.arrays[f"compare/image {name}"] for name in TITLES)]
    labels = [
        "truth",
        *(
            f"{re.sub('[ -]', chr(10), title)}\n{outcome.last(f'compare/{name}_error'):.1%}"
            for name, title in TITLES.items()
        ),
    ]
    pictures = (1 - np.stack(columns, 1)[..., None]) / 2
    return show.image_grid(pictures, col_labels=labels, x_label=f"wrong pixels, of {NUM_IMAGES} digits")


def energy_figure(outcome: run.Outcome) -> Figure:
    """How far each way is from the least energy."""
    figure, axes = show.panel(size=(5.0, 3.1))
    ax = axes[0, 0]
    for name, color in zip(("icm", "gibbs", "max_product"), show.COLORS, strict=False):
        path = outcome.arrays[f"compare/energy {name}"] - outcome.arrays["compare/least"]
        ax.plot(np.arange(1, len(path) + 1), path, color=color, label=TITLES[name])
    ax.set(xlabel="sweep", ylabel="energy above the least (nats an image)", title="Energy", yscale="log")
    ax.legend(fontsize=8, frameon=False)
    return figure


def error_figure(outcome: run.Outcome) -> Figure:
    """The run: pixels that are still wrong."""
    return show.curves({"wrong pixels": "test/error"}, y_label="share of the pixels", title="What noise is left")(
        outcome
    )


if __name__ == "__main__":
    run.main(__name__)
