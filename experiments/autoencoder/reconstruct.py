"""Handwritten digits out of few numbers: autoencoders of several code sizes, beside as many principal components.

Hinton & Salakhutdinov 2006, Science 313; denoising: Vincent et al. 2008 (ICML); sparse: Ng 2011, CS294A notes. Errors
are squared, of a picture with pixels in [0, 1]; all sizes learn on the same batches.

    python -m experiments.autoencoder.reconstruct
    >>> codes = run.load("runs/autoencoder/reconstruct").embed(pictures)
    python -m experiments.autoencoder.reconstruct --network convolutional --hidden 16 32 --noise 0.3

Expected, three seeds: 0.57 of the components' error by 5 numbers, 0.56 by 16, 0.82 by 32. By 2 it is 0.66 twice, and
once 1.08, of pictures that are coded far out; 0.73 to 0.76 after 1,000 steps. A minute on 2 cores.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.tree_util import Partial

from adl import data, run, show
from adl.autoencoder import deterministic as ae
from adl.autoencoder import evaluation
from adl.autoencoder.convolutional import PictureDecoder, PictureEncoder
from adl.core import Algorithm, BadInput, beside, full_pass, optimizer
from adl.data.image import PROTOCOLS
from adl.latent import principal
from adl.nn.mlp import MLP, flat


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    num_steps: run.Count = 3000
    steps_per_call: run.Count = 20
    latent_dims: run.Widths = (2, 5, 16, 32)  # sizes of the codes, fewer than there are pixels
    network: Literal["perceptron", "convolutional"] = "perceptron"  # of the encoder, and mirrored of the decoder
    hidden: run.Widths = (256, 128)  # widths of the encoder's hidden layers, or channels of its levels; mirrored
    noise: run.NonNegative = 0.0  # standard deviation of what the encoder's pixels are spoilt by; above 0: denoising
    penalty: run.NonNegative = 0.0  # above 0, a sparse code: weight of |z|, or with --rate of a divergence from it
    rate: run.Rate = 0.0  # above 0, how often a unit of a sparse code is on, between 0 and 1; 0: codes are any numbers
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated


OF = f"{PROTOCOLS['digits']}; squared error of a test picture, over that of as many principal components"
MORE = {"overrides": {"num_seeds": 3}, "reference": "components: 1"}
CLAIMS = tuple(run.Claim(f"test/share_{n}", OF, at_most=x, **MORE) for n, x in {5: 0.58, 16: 0.575, 32: 0.85}.items())
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (16,), "latent_dims": (2, 3)}


class Loaded(NamedTuple):
    """Both splits, and what principal components of the training pictures make of the others."""

    train: data.Split
    test: data.Split
    x: np.ndarray  # [M, D] of the latter, in [0, 1]
    components: dict[int, principal.Components]  # by their number
    errors: dict[int, float]  # squared, of a test picture


def load(cfg: Config) -> Loaded:
    """Pictures, and the components of each size."""
    if not cfg.latent_dims or len({*cfg.latent_dims}) < len(cfg.latent_dims):
        raise BadInput(f"--latent_dims {' '.join(map(str, cfg.latent_dims))}: at least one size, and each once")
    if (cfg.penalty and cfg.noise) or (cfg.rate and not cfg.penalty):
        raise BadInput("--noise denoises, --penalty is of sparse codes, and --rate of these alone: not together")
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    known, asked = (flat(jnp.asarray(data.image.unit(split.arrays["image"]))) for split in (train, test))
    data.image.require_different(train)
    if (most := max(cfg.latent_dims)) >= min(known.shape):
        raise BadInput(f"--latent_dims {most}: it must be below the {known.shape[1]} pixels and {len(train)} pictures")
    found = {size: principal.found(known, size) for size in cfg.latent_dims}
    errors = {size: float(principal.errors(each, asked).mean()) for size, each in found.items()}
    return Loaded(train, test, np.asarray(asked), found, errors)


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """An autoencoder of each size, its error on the test split, and pictures made of the codes."""
    train, test, x, components, exact = loaded
    shape, models = test.example_shape, {size: network(cfg, size, test.example_shape) for size in cfg.latent_dims}

    def coder(state, size):
        return models[size].bind(state[f"of_{size}"].averaged)

    def pictures(columns, key, state):
        x, components = columns
        rows = [x]
        for size, found in components.items():
            rows += [principal.decode(found, principal.encode(found, x)), coder(state, size)(x)[1]]
        return {"images": jnp.stack(rows).reshape(-1, len(x), *shape)}

    def embed(key, state, image):
        return coder(state, cfg.latent_dims[-1]).encode(flat(data.image.unit(image)))

    judge = evaluation.reconstruction_errors(coder, exact)
    return run.Experiment(
        beside({f"of_{size}": algorithm(cfg, model, axis) for size, model in models.items()}),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(judge, data.padded(data.Split({"x": x}), 500), len(test))},
        final={"reconstruction": Partial(pictures, (x[:10], components))},
        offers={"embed": run.Offer(embed, run.Images(shape), run.Cells())},  # of the last size
        figures=figures(exact),
    )


def figures(exact: Mapping[int, float]) -> dict[str, show.Draw]:
    """Errors over steps, each beside that of as many components, and what the pictures become."""
    rows = ["test", *(f"{name} {size}" for size in exact for name in ("PCA", "code"))]
    return show.figures(
        error=show.curves(
            {f"code of {size}": f"test/error_{size}" for size in exact},
            **{"y_label": "squared error of a test picture", "title": "Reconstruction", "y_scale": "log"},
            references={f"PCA {size}: {{:.2f}}": error for size, error in exact.items()},
        ),
        reconstruction=show.of(show.image_grid, "reconstruction/images", row_labels=rows, title="Made of few numbers"),
    )


def network(cfg: Config, size: int, shape: Sequence[int]) -> ae.Autoencoder:
    """Encoder and decoder of a code; units that are on or off end in a sigmoid."""
    of = {"dtype": jnp.dtype(cfg.precision)}
    if cfg.network == "convolutional":
        encoder, decoder = PictureEncoder(size, shape, cfg.hidden, **of), PictureDecoder(shape, cfg.hidden, **of)
    else:
        of["activation"] = nn.silu
        encoder, decoder = MLP((*cfg.hidden, size), **of), MLP((*reversed(cfg.hidden), math.prod(shape)), **of)
    return ae.Autoencoder(nn.Sequential([encoder, nn.sigmoid]) if cfg.rate else encoder, decoder)


def algorithm(cfg: Config, model: ae.Autoencoder, axis: str | None) -> Algorithm:
    """The autoencoder of the kind that is asked for."""
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps))
    more = {"prepare": lambda key, batch: flat(data.image.unit(batch["image"])), "axis": axis}
    if cfg.penalty:
        rare = ae.rare_activations(cfg.penalty, cfg.rate, axis) if cfg.rate else ae.absolute(cfg.penalty)
        return ae.sparse_autoencoder(model, tx, penalty=rare, **more)
    if cfg.noise:
        return ae.denoising_autoencoder(model, tx, corrupt=ae.gaussian_noise(cfg.noise), **more)
    return ae.autoencoder(model, tx, **more)


if __name__ == "__main__":
    run.main(__name__)
