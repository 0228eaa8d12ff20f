"""Training of the main job's U-Net, of `experiments.diffusion`, on 128 pictures of 8x8, as `classify`."""

import functools

import numpy as np
import optax
import torch

from adl.core import Algorithm, Learner, Mean, descend
from adl.nn.unet import UNet, widths
from experiments.bench import Contenders
from experiments.bench.classify import LEARNING_RATE, Work, compared
from experiments.bench.peers import unet_torch

WIDTH, SIZE, BATCH = 32, 8, 128
CHANNELS, CONDITION = widths(WIDTH, SIZE), 4 * WIDTH


def contenders() -> Contenders:
    """The squared error of what the U-Net says of random pictures and conditions."""
    return compared(Work(learned, peer, batch, squared, num_steps=4))


def learned() -> Algorithm:
    """Ours."""
    model = UNet(CHANNELS, num_blocks=1, attention=(len(CHANNELS) - 1,))
    tx = optax.adam(LEARNING_RATE)

    def init(key, batch):
        return Learner.create(model.init(key, batch["image"], batch["told"]), tx)

    def total(key, params, extras, batch):
        output = model.apply({"params": params}, batch["image"], batch["told"])
        return {"loss": Mean.of(((output - batch["target"]) ** 2).mean((1, 2, 3)))}, extras

    return Algorithm(init, descend(total, tx))


peer = functools.partial(unet_torch.loaded, 1, CHANNELS, 1, CONDITION)


def batch(luck: np.random.Generator) -> dict[str, np.ndarray]:
    """Random pictures, targets and conditions."""
    image, target = luck.normal(size=(2, BATCH, SIZE, SIZE, 1)).astype(np.float32)
    return {"image": image, "target": target, "told": luck.normal(size=(BATCH, CONDITION)).astype(np.float32)}


def squared(forward, row: dict[str, torch.Tensor]) -> torch.Tensor:
    """The peer's loss."""
    return torch.mean((forward(row["image"], row["told"]) - row["target"].permute(0, 3, 1, 2)) ** 2)
