"""Training of a small translator on padded pairs, beside PyTorch's `nn.Transformer` (extra `bench`)."""

import os
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch

from adl.core import Algorithm, jitted, optimizer, repeated
from adl.nn import embed
from adl.nn.encoder_decoder import EncoderDecoder
from adl.sequence.translation import translation
from experiments.bench import Contenders, Run, apart, ours
from experiments.bench.peers.transformer_torch import Translator, translator_stepper

SMALL = {"num_layers": 3, "num_heads": 4, "width": 128}
WORK = {"pairs": 32}


class Pairs(NamedTuple):
    """Steps of Adam with clipped gradients on random pairs of several lengths, always from the same weights."""

    model: dict[str, int] = SMALL
    batch_size: int = 32  # pairs a step
    longest: int = 24  # tokens of a source, and of a target that are predicted
    num_steps: int = 5  # that are timed at once
    vocab_size: int = 2000

    @property
    def batches(self) -> dict[str, np.ndarray]:
        """Columns of `translation`, `[steps, B, ...]`: lengths from a half of the longest on."""
        rng, size = np.random.default_rng(0), (self.num_steps, self.batch_size)
        found = {}
        for name, length in (("source", self.longest), ("target", self.longest + 1)):
            count = rng.integers(self.longest // 2, length + 1, size)
            found[name] = rng.integers(0, self.vocab_size, (*size, length), np.int32)
            found[f"{name}_mask"] = np.arange(length) < count[..., None]
        return found

    @property
    def network(self) -> EncoderDecoder:
        """Ours."""
        return EncoderDecoder(self.vocab_size, **self.model, order="post")

    @property
    def algorithm(self) -> Algorithm:
        """All steps as one."""
        tx = optimizer.adam(1e-3, clip=1.0, b2=0.98)
        return jitted(repeated(translation(self.network, tx), self.num_steps))


def theirs(work: Pairs) -> Run:
    """The contender PyTorch, on as many threads as there are cores."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    params = work.algorithm.init(jax.random.key(0), work.batches).params
    places = np.asarray(embed.sinusoidal(jnp.arange(work.longest), work.model["width"]))
    peer = Translator(work.vocab_size, *work.model.values(), places).load(jax.tree.map(np.array, params))
    step = translator_stepper(peer, 1e-3)
    names = ("source", "target", "source_mask", "target_mask")
    batches = [*zip(*(torch.from_numpy(work.batches[name]) for name in names), strict=True)]

    counts = work.batches["target_mask"][..., 1:].sum((1, 2))  # tokens of each step, over all of which is the mean

    def run():
        started = time.perf_counter()
        losses = [step(batch) for batch in batches]
        return 1e3 * (time.perf_counter() - started) / work.num_steps, float(np.average(losses, weights=counts))

    return run


def contenders(work: Pairs = Pairs()) -> Contenders:  # noqa: B008  it cannot change
    """Milliseconds a step. Before anything is timed, the losses of the first steps must agree."""
    runs = {"PyTorch": apart(theirs, work), "adl": apart(ours, work)}
    losses = {name: run()[1] for name, run in runs.items()}
    np.testing.assert_allclose(list(losses.values()), losses["PyTorch"], rtol=1e-4, err_msg=str(losses))
    return {name: lambda run=run: run()[0] for name, run in runs.items()}
