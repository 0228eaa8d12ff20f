"""Handwritten digits, coded: a variational autoencoder, its bound on the likelihood, and what its latents hold.

Kingma & Welling 2014, arXiv:1312.6114; with `--num_samples 50` the importance-weighted autoencoder of Burda et al.
2016, arXiv:1509.00519, by the gradient of Tucker et al. 2019, arXiv:1810.04152. Likelihoods are in nats per image.

    python -m experiments.autoencoder
    python -m experiments.autoencoder --dataset mnist --pixels binary --latent_dim 20 --hidden 500
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array
from matplotlib.figure import Figure

from adl import data, run, show
from adl.autoencoder.dreg import dreg
from adl.autoencoder.vae import VAE, Likelihood, bernoulli, beta_vae, elbo, gaussian, iwae, log_likelihood, perceptrons
from adl.core import Algorithm, BadInput, Key, Mean, average_params, full_pass


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the first claim is about."""

    dataset: str = "digits"  # TFDS name, with "image"
    num_steps: run.Count = 2000
    batch_size: run.Count = 128
    eval_every: run.Count = 250
    pixels: Literal["dequantised", "binary"] = "dequantised"  # a Gaussian on grey levels plus U[0, 1), or Bernoulli
    levels: run.Count = 17  # grey levels of the data set (digits: 17, most others: 256), where pixels are dequantised
    latent_dim: run.Count = 10  # size of the code
    hidden: tuple[int, ...] = (256, 256)  # widths of the encoder's hidden layers; the decoder mirrors them
    activation: Literal["relu", "tanh", "silu"] = "silu"  # of the hidden layers
    num_samples: run.Count = 1  # latents an image in the bound that is trained; more than 1 is the IWAE
    gradient: Literal["once", "doubly"] = "doubly"  # reparameterised, where num_samples > 1; doubly is less noisy
    num_backward: run.Natural = 0  # of those, the ones that the "doubly" gradient is taken through; 0: all
    beta: run.NonNegative = 1.0  # weight of the KL divergence; 1 is the VAE, others bound nothing
    learning_rate: run.Positive = 1e-3  # of AdamW at the start, before a cosine to 0
    weight_decay: run.NonNegative = 0.0  # times the learning rate
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated
    num_importance_samples: run.Natural = 0  # latents an image in the final likelihood, a multiple of 50; 0: none


MNIST = {"dataset": "mnist", "pixels": "binary", "log_every": 500}
BINARY = (
    "mnist, training pixels made binary anew each time, all 10,000 test images once with a fixed key; nats an image"
)
ONE_LAYER = {
    **MNIST,
    "log_every": 10000,
    "latent_dim": 50,
    "hidden": (200, 200),
    "activation": "tanh",
    "num_importance_samples": 5000,
}
SLOW = {"steps_per_call": 50, "eval_every": 60000, "checkpoint_every": 60000, "ema": 0.9999}


CLAIMS = (
    run.Claim(
        metric="test/elbo",
        at_least=-136.1,
        overrides={"num_seeds": 5},
        protocol="digits as 17 levels plus U[0, 1), first 1,437 to train, last 360 (other writers) to test; sampled "
        "ELBO in nats an image, mean of 5 seeds",
        reference="log-likelihood with 10 latents on the same data: factor analyser -136.1, PPCA -161.6 (scikit-learn)",
    ),
    run.Claim(
        metric="test/elbo",
        at_least=-104.0,
        overrides={**MNIST, "latent_dim": 20, "hidden": (500,), "num_steps": 4690},
        protocol=f"{BINARY}; 10 epochs, 20 latents, one hidden layer of 500; sampled ELBO",
        reference="flax's VAE example, same architecture and epochs: about -104",
        long=True,
    ),
    run.Claim(
        metric="importance/nll",
        at_most=87.5,
        overrides={**ONE_LAYER, "batch_size": 100, "num_steps": 900000, **SLOW},
        protocol=f"{BINARY}; 1,500 epochs, importance-weighted with 5,000 samples",
        reference="one stochastic layer, VAE: 87.2 to 87.8 (Burda et al. 2016 and others, 3,280 epochs)",
        long=True,
    ),
    run.Claim(
        metric="importance/nll",
        at_most=85.5,
        overrides={
            **ONE_LAYER,
            "num_samples": 50,
            "num_backward": 3,
            "batch_size": 20,
            "num_steps": 1200000,
            **SLOW,
        },
        protocol=f"{BINARY}; 400 epochs, importance-weighted with 5,000 samples",
        reference="one stochastic layer, IWAE with 50 samples: 84.6 to 84.8 (Burda et al. 2016, 3,280 epochs)",
        long=True,
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (16,), "latent_dim": 3, "num_importance_samples": 50}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """A VAE of the data set's pictures, its bound on the test split, and pictures of what it learned."""
    if cfg.num_importance_samples % 50:
        raise BadInput(f"--num_importance_samples {cfg.num_importance_samples}: it must be a multiple of 50")
    train, test = data.splits(cfg.dataset, "image", data_dir=cfg.data_dir)
    shape = test.take(np.arange(1))["image"].shape[1:]
    observe, likelihood, show = observation(cfg)
    dim = int(np.prod(shape))
    activation = {"relu": nn.relu, "tanh": nn.tanh, "silu": nn.silu}[cfg.activation]
    outputs = dim if cfg.pixels == "binary" else 2 * dim
    model = perceptrons(cfg.latent_dim, cfg.hidden, outputs, activation, jnp.dtype(cfg.precision))

    def prepare(key, batch):
        return observe(key, batch["image"])

    def pictures(output):
        return show(output).reshape(*output.shape[:-1], *shape)

    def measure(key, learner, batch):
        parts = elbo(key, model.bind(learner.averaged), batch["x"], likelihood=likelihood)
        return {name: Mean.of(values, batch["mask"]) for name, values in parts.items()}

    def importance(key, learner, batch):
        bound = functools.partial(log_likelihood, likelihood=likelihood, num_samples=cfg.num_importance_samples)
        return {"nll": Mean.of(-bound(key, model.bind(learner.averaged), batch["x"]), batch["mask"])}

    def reconstruct(key, learner):
        x, variables = observed["x"][:10], learner.averaged
        codes, _ = model.apply(variables, x, method=VAE.encode)
        again = pictures(model.apply(variables, codes, method=VAE.decode))
        return {"images": jnp.stack([test_images[:10], again])}

    def generate(key, learner):
        z = jax.random.normal(key, (10, 10, cfg.latent_dim))
        return {"images": pictures(model.apply(learner.averaged, z, method=VAE.decode))}

    def traverse(key, learner):
        """A test digit's code, moved along the two latents that say most about the digits."""
        variables = learner.averaged
        mean, _ = model.apply(variables, observed["x"][:1000], method=VAE.encode)
        first, second = jnp.argsort(-mean.var(0))[jnp.array([0, min(1, cfg.latent_dim - 1)])]
        steps = jnp.linspace(-2.5, 2.5, 11)
        codes = jnp.broadcast_to(mean[0], (11, 11, cfg.latent_dim))
        codes = codes.at[..., second].set(-steps[:, None]).at[..., first].set(steps[None, :])
        return {"images": pictures(model.apply(variables, codes, method=VAE.decode))}

    images = test.take(np.arange(len(test)))["image"]
    test_images = data.image.unit(jnp.asarray(images[:10]))
    with jax.ensure_compile_time_eval():  # noise of a fixed key: one test set for all runs of a sweep too
        observed = {"x": observe(jax.random.key(0), jnp.asarray(images))}
    observed_test = data.Split(jax.tree.map(np.asarray, observed))
    final = {"reconstruction": reconstruct, "prior": generate, "traversal": traverse}
    if cfg.num_importance_samples:
        final["importance"] = full_pass(importance, data.padded(observed_test, 20), len(test))
    return run.Experiment(
        algorithm(cfg, model, likelihood, prepare, axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(measure, data.padded(observed_test, 500), len(test))},
        final=final,
        figures=show.figures(
            bound=functools.partial(bound_figure, trained="train/elbo" if cfg.num_samples == 1 else "train/bound"),
            reconstruction=reconstruction_figure,
            samples=prior_figure,
            traversal=traversal_figure,
        ),
    )


def observation(cfg: Config) -> tuple[Callable[[Key, Array], Array], Likelihood, Callable[[Array], Array]]:
    """How pixels are seen: `observe(key, uint8 [B, ...]) -> x [B, D]`, log p(x|z), and its means in [0, 1]."""
    if cfg.pixels == "binary":

        def binarise(key: Key, image: Array) -> Array:
            return jax.random.bernoulli(key, data.image.unit(image)).astype(jnp.float32).reshape(len(image), -1)

        return binarise, bernoulli, jax.nn.sigmoid
    half = cfg.levels / 2

    def dequantise(key: Key, image: Array) -> Array:
        level = jnp.round(data.image.unit(image) * (cfg.levels - 1))
        return ((level + jax.random.uniform(key, image.shape) - half) / half).reshape(len(image), -1)

    def density(x: Array, output: Array) -> Array:
        return gaussian(x, output) - x.shape[-1] * jnp.log(half)  # per unit of grey level, whatever the scale inside

    def grey(output: Array) -> Array:
        return (jnp.split(output, 2, -1)[0] + 1) / 2

    return dequantise, density, grey


def algorithm(cfg: Config, model: VAE, likelihood, prepare, axis: str | None) -> Algorithm:
    """The VAE, or with several samples the IWAE."""
    if cfg.num_samples > 1 and cfg.beta != 1:
        raise BadInput(f"--beta {cfg.beta}: it must be 1 with --num_samples above 1")
    if cfg.num_backward and (cfg.num_samples == 1 or cfg.gradient == "once"):
        raise BadInput(f"--num_backward {cfg.num_backward}: it wants --num_samples above 1 and --gradient doubly")
    shape = optax.cosine_decay_schedule(1.0, cfg.num_steps)
    tx = optax.chain(
        optax.adamw(lambda step: cfg.learning_rate * shape(step), weight_decay=cfg.weight_decay),
        average_params(cfg.ema),
    )
    if cfg.num_samples > 1:
        make = iwae if cfg.gradient == "once" else functools.partial(dreg, num_backward=cfg.num_backward)
        return make(model, tx, likelihood=likelihood, num_samples=cfg.num_samples, prepare=prepare, axis=axis)
    return beta_vae(model, tx, likelihood=likelihood, beta=cfg.beta, prepare=prepare, axis=axis)


def bound_figure(outcome: run.Outcome, *, trained: str) -> Figure:
    """The bound and its parts on the test split, beside the bound on the training batches."""
    metrics = {
        "ELBO": "test/elbo",
        "bound, training": trained,
        "reconstruction": "test/reconstruction",
        "KL": "test/kl",
    }
    figure = show.curves(metrics, y_label="nats per image", title="Evidence lower bound, test")(outcome)
    _, bound = outcome.curve("test/elbo")
    late, top = np.nanmin(bound[len(bound) // 4 :]), figure.axes[0].get_ylim()[1]
    figure.axes[0].set_ylim(late - 0.15 * (top - late), top)  # where the curves differ, not how they began
    return figure


def reconstruction_figure(outcome: run.Outcome) -> Figure:
    """Test digits and their reconstructions."""
    return show.image_grid(
        outcome.arrays["reconstruction/images"], row_labels=["test", "decoded"], title="Mean reconstructions"
    )


def prior_figure(outcome: run.Outcome) -> Figure:
    """Digits decoded from the prior."""
    return show.image_grid(outcome.arrays["prior/images"], title="Decoded means of latents from the prior")


def traversal_figure(outcome: run.Outcome) -> Figure:
    """Digits over the plane of the two most informative latents, the others as encoded for a test digit."""
    ticks = [f"{value:.1f}" for value in np.linspace(-2.5, 2.5, 11)]
    return show.image_grid(
        outcome.arrays["traversal/images"],
        row_labels=ticks[::-1],
        col_labels=ticks,
        x_label="most informative latent",
        y_label="second",
        title="Decoded means over two latents",
    )


if __name__ == "__main__":
    run.main(__name__)
