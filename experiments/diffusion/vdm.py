"""Variational diffusion of handwritten digits: a bound in bits a dimension, of a noise schedule that is learned.

Kingma et al. 2021, arXiv:2107.00630. Digits have 17 grey levels: uniform is 4.09 bits, and no number here compares with
one of 256 levels. The bound is beside that of the same network in 10, 100 and 1,000 steps, each a hierarchical VAE's,
and beside the exact likelihood of its probability flow, the levels dequantised by the model's own last noise.

    python -m experiments.diffusion.vdm
    >>> pictures = run.load("runs/diffusion/vdm").sample(12)

Expected on digits, means of 3 seeds: a bound of 1.890 bits, where each pixel alone takes 2.39 and one Gaussian up to
2.94; in 10 steps 3.3, in 100 1.99, in 1,000 1.90; by the flow 1.892, of one draw of noise. Seven minutes for all
three seeds on 2 busy cores.
"""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp

from adl import data, run, show
from adl.core import full_pass, optimizer
from adl.data.image import PROTOCOLS
from adl.diffusion.bits import bits_by_steps, bound_bits, drawn_levels, flow_bits, schedule_curve
from adl.diffusion.denoising import Conditioned
from adl.diffusion.vdm import VDM, Schedule, vdm
from adl.latent import rows
from adl.measure.levels import known
from adl.nn.embed import Conditioner
from adl.nn.unet import UNet, widths

SCHEDULE = show.lines(
    *("schedule/time", show.Line("schedule/learned", "learned"), show.Line("schedule/straight", "straight", "--")),
    **{"title": "Schedule", "x_label": "time", "y_label": "log noise to signal", "legend": "best"},
)
ROWS, COLS = 6, 12  # of samples that are shown
STEPS = (10, 100, 1000)  # of the bound, beside the one without end


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    num_steps: run.Count = 1000
    batch_size: run.Count = 64
    eval_every: run.Count = 250
    steps_per_call: run.Count = 10
    best: str = "test/bits"
    levels: run.Natural = 0  # grey levels; 0: those of the pictures (digits 17, most 256)
    width: run.Eights = 32  # channels at full resolution; twice as many after each halving
    num_blocks: run.Natural = 1  # residual blocks a resolution on the way down; one more on the way up
    dropout: run.Rate = 0.1  # within residual blocks
    low: Annotated[run.Logarithm, run.below("high")] = -8.0  # log of noise to signal at time 0, where learning begins
    high: run.Logarithm = 5.0  # the same, at time 1
    width_of_schedule: run.Count = 64  # sigmoids that the schedule is made of
    learning_rate: run.Positive = 2e-3  # of Adam, reached after 100 steps, before a cosine to 0
    ema: run.Rate = 0.99  # decay of the parameters' average, which is evaluated
    num_draws: run.Count = 10  # of noise and time, of each test picture
    flow_steps: run.Count = 50  # of Heun, of the probability flow
    sampler_steps: run.Count = 100  # of DDPM


OF = f"{PROTOCOLS['digits']}, 17 levels; bits a dimension, averaged parameters, mean of 3 seeds"
ELSE = "in the run: each pixel alone 2.39, one Gaussian 2.94, ten 2.79, PPCA 3.53; gated pixels have 1.76"
MEASURED = (("test/bits", "the bound, of 10 draws a picture", 1.895), ("flow/bits", "by the flow, 50 steps", 1.904))
CLAIMS = tuple(run.Claim(n, f"{OF}; {how}", {"num_seeds": 3}, at_most=m, reference=ELSE) for n, how, m in MEASURED)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "width": 8, "num_blocks": 0, "num_draws": 1, "flow_steps": 2},
    **{"sampler_steps": 2, "train_split": "train[:100]", "test_split": "test[:20]"},
    **{"picture_size": "4x4", "picture_fit": "resize"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, dict[str, float]]:
    """Pictures to learn from and to test, and the bits of baselines."""
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    data.image.require_different(train)
    return train, test, rows.plain_bits(train, test, asked=cfg.levels)


def build(cfg: Config, loaded: tuple[data.Split, data.Split, dict[str, float]], axis: str | None) -> run.Experiment:
    """A network and its schedule, their bits on the test split, and what they draw."""
    train, test, bits = loaded
    shape, levels = train.example_shape, round(2 ** bits["uniform"])
    model, shaped = network(cfg, shape, levels), optimizer.cosine(cfg.num_steps, warmup=min(100, cfg.num_steps // 10))

    def prepare(key, batch):
        return data.image.level_of(batch["image"], levels=levels), None

    def draw(key, learner, num):
        return drawn_levels(key, model, learner, (num, *shape), num_steps=cfg.sampler_steps) / (levels - 1)

    def looked(measure):
        return full_pass(measure, data.padded(test, 360), len(test))

    return run.Experiment(
        vdm(model, optimizer.adam(**cfg.adam, shape=shaped, clip=1.0), prepare=prepare, axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": looked(bound_bits(model, prepare, num_draws=cfg.num_draws))},
        final={
            "steps": looked(bits_by_steps(model, prepare, steps=STEPS, num_draws=cfg.num_draws)),
            "flow": looked(flow_bits(model, prepare, num_steps=cfg.flow_steps)),
            "baseline": known(bits),
            "schedule": schedule_curve(model),
            "samples": lambda *of: {"images": draw(*of, ROWS * COLS).reshape(ROWS, COLS, *shape)},
        },
        offers={"model": model, "sample": run.Offer(lambda *of: draw(*of, 1)[0], run.Repeats(), run.Images(shape))},
        figures=show.figures(
            bits=show.curves(
                {"test": "test/bits", "training": "train/bits"},
                **{"y_label": f"bits a dimension, {levels} levels", "title": "Bound", "settled": 0.2},
                references={f"{name} {{:.2f}}": value for name, value in bits.items()},
            ),
            schedule=show.page([SCHEDULE], size=(4.0, 3.0)),
            samples=show.pictures("samples/images", title="Samples"),
        ),
    )


def network(cfg: Config, shape: tuple[int, ...], levels: int) -> VDM:
    """A U-Net that attends below full resolution, and a schedule."""
    channels = widths(cfg.width, shape[0])
    more = {"dropout": cfg.dropout, "dtype": jnp.dtype(cfg.precision), "features": shape[-1]}
    unet = UNet(channels, num_blocks=cfg.num_blocks, attention=tuple(range(1, len(channels))), **more)
    told = Conditioned(unet, Conditioner(0, cfg.width, dtype=unet.dtype))
    return VDM(told, Schedule(cfg.low, cfg.high, cfg.width_of_schedule), levels)


if __name__ == "__main__":
    run.main(__name__)
