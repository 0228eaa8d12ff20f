"""Handwritten digits as a grid of codes out of a book, and a transformer that knows which codes stand side by side.

van den Oord et al. 2017, arXiv:1711.00937. Grey levels are filled up by U[0, 1), and the decoder gives a Gaussian of
each pixel, so that log p(x|z) + log p(codes) bounds the likelihood of the levels, as the VAE's bound does.

    python -m experiments.autoencoder.quantised
    >>> pictures = run.load("runs/autoencoder/quantised").sample(16)
    python -m experiments.autoencoder.quantised --codebook learned

Expected, three seeds: a bound of -108.6, where a VAE has -116.0 and each pixel alone -106.1; 36.1 nats of 16 codes,
where places alone take 47.4; 47 of 64 codes in use. Two minutes on 2 cores; by 4,000 steps -103.4, one seed.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data, run, show
from adl.autoencoder import evaluation, pixels, quantised
from adl.autoencoder.convolutional import Doubling, Halving, halvings
from adl.autoencoder.quantised import VQVAE
from adl.core import Mean, Probe, full_pass, optimizer
from adl.data.image import PROTOCOLS
from adl.latent import rows
from adl.nn.mlp import flat
from adl.nn.transformer import GPT

ACROSS = 10  # pictures of a row
KNOWN = 2000  # training pictures whose codes are counted


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    num_steps: run.Count = 2000
    batch_size: run.Count = 128
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    levels: run.Natural = 0  # grey levels; 0: those of the pictures (digits 17, most 256)
    channels: run.Widths = (32,)  # of the encoder's levels, each of which halves the picture; the decoder mirrors them
    num_codes: run.Several = 64  # in the book
    code_dim: run.Count = 8  # size of a code
    codebook: Literal["average", "learned"] = "average"  # moving averages of what chooses a code, or by gradient
    decay: run.Rate = 0.99  # of these averages
    commitment: run.NonNegative = 0.25  # weight of the pull of what is encoded to its code
    width: Annotated[run.Count, run.multiple_of("num_heads")] = 64  # of the prior's transformer
    num_layers: run.Count = 2  # of the prior
    num_heads: run.Count = 4  # of the prior
    dropout: run.Rate = 0.1  # of the prior
    ema: run.Rate = 0.995  # decay of the parameter averages, which are evaluated
    num_samples: Annotated[run.Count, run.multiple_of(ACROSS)] = 1000  # of the prior, on which the use of codes is told


NATS = {"y_label": "nats per image", "settled": 0.25}
BOUND = show.curves({"test": "test/elbo", "training": "train/elbo"}, **NATS, title="Bound on log p(x)")
CODE = show.curves({"test": "test/code_nll", "training": "train/code_nll"}, **NATS, title="-log p(codes)")
OF = f"{PROTOCOLS['digits']}, as 17 levels plus U[0, 1); mean of 3 seeds"
SEEDS = {"num_seeds": 3}
OTHERS = "on the same: each pixel alone -106.1, a VAE -116.0, one Gaussian -130.5"
CLAIMS = (
    run.Claim("test/elbo", f"{OF}; log p(x|z) + log p(codes), nats", SEEDS, at_least=-109.5, reference=OTHERS),
    run.Claim("test/code_nll", f"{OF}; of 16 codes, in nats", SEEDS, at_most=38.0, reference="each place alone: 47.4"),
    run.Claim("reconstruction/perplexity", f"{OF}; of the 64 codes", SEEDS, at_least=42.0, reference="one in use: 1"),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "channels": (4,), "num_codes": 4, "code_dim": 2, "width": 8, "num_layers": 1},
    **{"num_heads": 2, "num_samples": 20, "train_split": "train[:100]"},
}


Loaded = tuple[data.Split, data.Split, pixels.Pixels, Probe, tuple[Array, Array, Array]]


def load(cfg: Config) -> Loaded:
    """Splits; how pictures are seen; bounds without a network; and all of test, some as shown, some of training."""
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    seen, plain = pixels.of_pictures(train, test, asked=cfg.levels), rows.plain_bounds(train, test, asked=cfg.levels)
    some = (jnp.asarray(split.arrays["image"]) for split in (test, train.first(KNOWN)))
    x, known = (seen.observe(jax.random.key(number), image) for number, image in enumerate(some))
    return train, data.Split({"x": x}), seen, plain, (x, data.image.unit(test.arrays["image"][:ACROSS]), known)


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """The quantised autoencoder and its prior, their bound on the test split, and pictures of codes drawn."""
    train, test, seen, plain, columns = loaded
    shape, (height, width) = train.example_shape, grid(cfg, train.example_shape)
    model, prior = networks(cfg, shape, seen.num_outputs, axis)
    of = {"length": height * width, "num_codes": cfg.num_codes}

    def made(state, index):
        output = model.bind(state.autoencoder.averaged).decode_codes(index.reshape(-1, height, width))
        return seen.mean(output).reshape(-1, *shape)

    def drawn(key, state, **num):
        return quantised.draw_codes(key, prior, state.prior.averaged, **of, **num)

    def pictures(columns, key, state):
        x, image, known = columns
        bound = model.bind(state.autoencoder.averaged)
        index, before = bound.quantise(x).index, bound.quantise(known).index
        alone = quantised.independent_nll(*(flat(codes) for codes in (before, index)), cfg.num_codes)
        images = jnp.stack([image, made(state, index[: len(image)])])
        in_use = quantised.perplexity(index, cfg.num_codes)
        return {"perplexity": Mean.of(in_use), "independent_nll": Mean.of(alone), "images": images}

    def samples(key, state):
        index = drawn(key, state, num=cfg.num_samples)
        images = made(state, index[: ACROSS**2]).reshape(-1, ACROSS, *shape)
        return {"perplexity": Mean.of(quantised.perplexity(index, cfg.num_codes)), "images": images}

    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps))
    more = {"commitment": cfg.commitment, "prepare": lambda key, batch: seen.observe(key, batch["image"]), "axis": axis}
    draw = run.Offer(lambda key, state: made(state, drawn(key, state, num=1))[0], run.Repeats(), run.Images(shape))
    of_codes = {"prior": prior, "likelihood": seen.likelihood, "num_codes": cfg.num_codes}
    return run.Experiment(
        quantised.vq_vae(model, tx, **of_codes, **more),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(evaluation.code_bounds(model, **of_codes), data.padded(test, 500), len(test))},
        final={"reconstruction": Partial(pictures, columns), "prior": samples, "baseline": plain},
        offers={"model": model, "sample": draw},
        figures=show.figures(bound=BOUND, code=CODE, reconstruction=show.reconstructed, samples=show.prior),
    )


def grid(cfg: Config, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a picture's codes."""
    return halvings(shape[:2], len(cfg.channels))[-1]


def networks(cfg: Config, shape: tuple[int, ...], num_outputs: int, axis: str | None) -> tuple[VQVAE, GPT]:
    """The autoencoder of pictures, and the prior of its codes in their order."""
    dtype, (height, width) = jnp.dtype(cfg.precision), grid(cfg, shape)
    book = quantised.LearnedCodebook(cfg.num_codes)
    if cfg.codebook == "average":
        book = quantised.Codebook(cfg.num_codes, cfg.decay, axis)
    encoder = nn.Sequential([Halving(shape, cfg.channels, dtype=dtype), nn.Dense(cfg.code_dim, dtype=dtype)])
    model = VQVAE(encoder, book, Doubling(shape, cfg.channels, num_outputs, dtype=dtype))
    size = {"num_layers": cfg.num_layers, "num_heads": cfg.num_heads, "width": cfg.width}
    return model, GPT(cfg.num_codes + 1, height * width, dropout=cfg.dropout, dtype=dtype, **size)


if __name__ == "__main__":
    run.main(__name__)
