"""Training of the small ResNet of `experiments.supervised.classify` on 128 pictures of 8x8, beside PyTorch: eager,
channels last, compiled (extra `bench`).
"""

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import optax
import torch
from flax import linen as nn
from torch.nn import functional as F

from adl.core import Algorithm, jitted, repeated
from adl.nn.resnet import ResNet
from adl.supervised.classification import classifier
from experiments.bench import Contenders, Run, apart, ours
from experiments.bench.peers import alone, resnet_torch

Way = Literal["eager", "channels last", "compiled"]
WAYS: tuple[Way, ...] = ("eager", "channels last", "compiled")
CLASSES, STAGES, LEARNING_RATE = 10, (16, 32, 64), 1e-3


class Work(NamedTuple):
    """Steps of Adam, always from the same weights and on the same random batches."""

    learned: Callable[[], Algorithm]  # one step, of a `Learner`
    peer: Callable[[Mapping[str, Any]], torch.nn.Module]  # of the variables of ours
    batch: Callable[[np.random.Generator], dict[str, np.ndarray]]  # one, with "image" [B, H, W, C] float32
    loss: Callable[[Callable, dict[str, torch.Tensor]], torch.Tensor]  # of what is called as the peer, and a batch
    num_steps: int  # that are timed at once

    @property
    def batches(self) -> dict[str, np.ndarray]:
        """`[steps, B, ...]`."""
        luck = np.random.default_rng(0)
        each = [self.batch(luck) for _ in range(self.num_steps)]
        return {name: np.stack([batch[name] for batch in each]) for name in each[0]}

    @property
    def algorithm(self) -> Algorithm:
        """All steps as one."""
        return jitted(repeated(self.learned(), self.num_steps))


def theirs(work: Work, way: Way) -> Run:
    """The contender PyTorch, on as many threads as there are cores."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    batches = work.batches
    state = work.algorithm.init(jax.random.key(0), batches)
    model = work.peer(jax.tree.map(np.array, {"params": state.params, **state.extras})).train()
    layout = torch.contiguous_format if way == "eager" else torch.channels_last
    model = model.to(memory_format=layout)
    columns = {name: torch.from_numpy(column) for name, column in batches.items()}
    rows = [{name: column[step] for name, column in columns.items()} for step in range(work.num_steps)]
    for row in rows:
        row["image"] = row["image"].permute(0, 3, 1, 2).contiguous(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    forward = torch.compile(model) if way == "compiled" else model

    def run():
        started, total = time.perf_counter(), 0.0
        for row in rows:
            loss = work.loss(forward, row)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item()
        return 1e3 * (time.perf_counter() - started) / work.num_steps, total / work.num_steps

    return run


def of_classes(
    model: nn.Module, peer: Callable[..., torch.nn.Module], shape: tuple[int, int, int, int], *, num_steps: int
) -> Work:
    """Cross-entropy of `CLASSES` classes of random pictures `[B, H, W, C]`."""
    return Work(functools.partial(_classifier, model), peer, functools.partial(_labelled, shape), _surprise, num_steps)


def _classifier(model: nn.Module) -> Algorithm:
    return classifier(model, optax.adam(LEARNING_RATE))


def _labelled(shape: tuple[int, ...], luck: np.random.Generator) -> dict[str, np.ndarray]:
    image = luck.normal(size=shape).astype(np.float32)
    return {"image": image, "label": luck.integers(0, CLASSES, shape[0], np.int32)}


def _surprise(forward: Callable, row: dict[str, torch.Tensor]) -> torch.Tensor:
    return F.cross_entropy(forward(row["image"]), row["label"].long())


def small(shape: tuple[int, int, int, int], *, num_steps: int) -> Work:
    """The small ResNet of three stages: 16, 32 and 64 channels, two blocks each."""
    peer = functools.partial(resnet_torch.loaded, CLASSES, STAGES, 2, shape[-1])
    return of_classes(ResNet(CLASSES, STAGES, num_blocks=2), peer, shape, num_steps=num_steps)


def compared(work: Work) -> Contenders:
    """Milliseconds a step; and of its convolutions alone, ours and PyTorch's with channels last.

    Before anything is timed, the losses of the first steps must agree.
    """
    runs = {f"PyTorch, {way}": apart(theirs, work, way) for way in WAYS} | {"adl": apart(ours, work)}
    losses = {name: run()[1] for name, run in runs.items()}
    np.testing.assert_allclose(list(losses.values()), losses["PyTorch, eager"], rtol=2e-3, err_msg=str(losses))
    kinds = alone.convolutions(work.learned, jax.tree.map(lambda of: of[0], work.batches))
    makers = {"PyTorch": alone.theirs, "adl": alone.ours}
    parts = {f"{name}, {part} alone": apart(make, kinds, part) for part in alone.PARTS for name, make in makers.items()}
    return {name: lambda run=run: run()[0] for name, run in runs.items()} | parts


def contenders() -> Contenders:
    """128 pictures of 8x8."""
    return compared(small((128, 8, 8, 1), num_steps=20))
