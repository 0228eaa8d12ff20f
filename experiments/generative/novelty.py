"""What networks hold for no digit: a digit that training never showed, digits that are turned, other pictures.

A VAE, a masked autoregressive flow and a denoiser learn beside each other, from all classes, and from all but each in
turn; strangers are found by what a code does not keep, by -log p(x), by its ratio to a background of pixels alone, and
by the error of denoising (Graham et al. 2023, arXiv:2211.07740); and by the scores of `generative.outliers`. Areas
under the ROC: 1/2 is chance, and below it strangers look more like digits than digits do.

    python -m experiments.generative.novelty
    >>> scores = run.load("runs/generative/novelty").predict(pictures)
    python -m experiments.generative.novelty --dataset mnist --others not_mnist --num_train 5000

Measured on digits, 3 seeds: of a digit left out 0.868 by the flow, 0.845 by the VAE's error, 0.749 by denoising; by a
mixture of Gaussians 0.952. Means of four pictures: the flow's ratio 0.974, the VAE's bound 0.22. A minute a seed, busy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.tree_util import Partial

from adl import data, run, show
from adl.autoencoder.novelty import coded_novelty
from adl.autoencoder.pixels import dequantised
from adl.autoencoder.vae import perceptrons, vae
from adl.core import Algorithm, beside, leaving_out, optimizer, tree
from adl.diffusion import edm, preconditioner
from adl.diffusion.novelty import denoising_novelty
from adl.flow.autoregressive import maf
from adl.flow.likelihood import Flow, flow, log_density, logit
from adl.latent import baselines, novelty
from adl.latent.unfamiliar import Unfamiliar, unfamiliar
from adl.measure.outliers import left_out_areas
from adl.nn.mlp import TimedMLP


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    others: str = ""  # TFDS name, or path, of further strangers, with "image" of the same shape; empty: none
    num_steps: run.Count = 1000
    batch_size: run.Count = 64
    num_train: run.Count = 5000  # pictures to learn from; all, where there are fewer
    num_test: run.Count = 2000  # to test; all, where there are fewer
    num_factors: run.Count = 16  # principal components, and latents of PPCA
    num_components: run.Count = 10  # of the mixture of Gaussians
    latent_dim: run.Count = 10  # size of the VAE's code
    hidden: run.Widths = (128, 128)  # widths of the networks' hidden layers
    num_layers: run.Count = 4  # of the flow
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated


AREA = f"{data.image.PROTOCOLS['digits']}; area under the ROC, mean of 3 seeds"
SEEN = "of digits left out 0.95 by a mixture, 0.966 by the nearest picture known; of means of four 0.51 and 0.85"
CLAIMS = tuple(
    run.Claim(f"areas/{name}", f"{AREA}; {text}", {"num_seeds": 3}, at_least=least, reference=SEEN)
    for name, least, text in (
        ("left_out_flow", 0.86, "a digit left out of learning, by the flow's likelihood"),
        ("left_out_vae_error", 0.84, "a digit left out of learning, by what the VAE's code does not keep"),
        ("blended_flow_ratio", 0.97, "means of four pictures, by the flow's likelihood over that of pixels alone"),
    )
)
SMOKE = {
    **{"num_train": 60, "num_test": 40, "num_factors": 3, "num_components": 2, "num_steps": 3, "batch_size": 8},
    **{"hidden": (8,), "num_layers": 1, "latent_dim": 2, "picture_size": "4x4", "picture_fit": "resize"},
}
NETWORKS = ("vae_error", "vae", "flow", "denoising")
RATIOS = {"vae_ratio": "vae", "flow_ratio": "flow"}  # of these over a background's likelihood
NAMES = (*novelty.NAMES, *NETWORKS, *RATIOS)
NOISE = {"p_mean": -0.6, "p_std": 1.2}  # of ln(sigma), of pictures in [-1, 1]


def load(cfg: Config) -> Unfamiliar:
    """Pictures, and strangers made of them."""
    splits = data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=2, **cfg.source)
    other = data.splits(cfg.others, "image", of=(cfg.test_split,), **cfg.source)[0] if cfg.others else None
    size = {name: getattr(cfg, name) for name in ("num_train", "num_test", "num_factors")}
    return unfamiliar(*splits, other, **size)


def build(cfg: Config, loaded: Unfamiliar, axis: str | None) -> run.Experiment:
    """Areas of every score, for every class left out and every kind of strangers."""
    x, label, levels, classes = loaded.x, loaded.label, loaded.levels, loaded.classes
    size = {"levels": levels, "num_factors": cfg.num_factors, "num_components": cfg.num_components}
    algorithm, say = networks(cfg, x, levels, axis)

    def judged(key, x, weight, state, rows):
        fitted, told = novelty.judges(key, x, weight, **size), say(key, state, rows)
        background = novelty.background_log_prob(fitted, rows)
        return novelty.novelty(fitted, rows) | told | {of: told[name] + background for of, name in RATIOS.items()}

    def scores(known, key, state, pictures):
        x, label, classes = map(jnp.asarray, known)
        kept = jnp.concatenate([label[None] != classes[:, None], jnp.ones((1, len(x)), bool)]).astype(float)
        return jax.lax.map(lambda own: judged(key, x, *own, pictures), (kept, state))

    def predict(key, state, image):
        rows = baselines.middles(image, levels=levels, learned=False)
        return jnp.stack([*say(key, tree.take(state, -1), rows).values()], -1)

    kinds, frame = ("left_out", *loaded.others), {"x_lim": (-0.03, 1.03), "verticals": {"": 0.5}}
    pages = [show.dots(NAMES, {"": f"areas/{kind}"}, x_label=kind.replace("_", " "), **frame) for kind in kinds]
    title = "Area under the ROC of strangers against test pictures"
    return run.Experiment(
        leaving_out(algorithm, "label", [*classes, -1], axis=axis),
        data.shuffled(data.Split({"x": x, "label": label}), cfg.batch_size),
        final={
            "areas": left_out_areas(NAMES, Partial(scores, (x, label, classes)), *loaded[2:4], classes, loaded.others)
        },
        offers={"predict": run.Offer(predict, run.Images(loaded.shape), run.Cells(NETWORKS))},
        figures=show.figures(areas=show.page(pages, size=(2.6, 4.4), title=title)),
    )


def networks(cfg: Config, x: np.ndarray, levels: int, axis: str | None) -> tuple[Algorithm, Callable]:
    """The three beside each other; and their scores `NETWORKS` of rows."""
    seen, scale, dtype = dequantised(levels), preconditioner.karras(float(np.std(2 * x))), jnp.dtype(cfg.precision)
    coder = perceptrons(cfg.latent_dim, cfg.hidden, x.shape[1] * seen.num_outputs, nn.silu, dtype)
    density, denoiser = Flow((logit(), *maf(cfg.num_layers, cfg.hidden, dtype=dtype))), TimedMLP(cfg.hidden, dtype)
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps), clip=10.0)

    def spread(key, batch):
        return batch["x"] + (jax.random.uniform(key, batch["x"].shape) - 0.5) / levels

    def centred(key, batch):
        return 2 * spread(key, batch) - 1

    def say(key, state, x):
        told = coded_novelty(key, coder.bind(state["vae"].averaged), 2 * x - 1, pixels=seen)
        nats = -log_density(*density.apply(state["flow"].averaged, x))
        denoise = edm.denoiser(denoiser, state["denoiser"].averaged, None, preconditioner=scale)
        error = denoising_novelty(key, denoise, 2 * x - 1, preconditioner=scale, **NOISE)
        return dict(zip(NETWORKS, (told["error"], told["nats"], nats, error), strict=True))

    noise = {"preconditioner": scale, **NOISE, "prepare": lambda *of: (centred(*of), None)}
    each = {
        "vae": vae(coder, tx, likelihood=seen.likelihood, prepare=centred, axis=axis),
        "flow": flow(density, tx, prepare=spread, axis=axis),
        "denoiser": edm.edm(denoiser, tx, **noise, axis=axis),
    }
    return beside(each), say


if __name__ == "__main__":
    run.main(__name__)
