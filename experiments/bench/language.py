"""Training of nanoGPT's model for a CPU, beside PyTorch, eager and compiled (extra `bench`)."""

import os
import time
from typing import NamedTuple

import jax
import numpy as np
import torch

from adl.core import Algorithm, jitted, optimizer, repeated
from adl.nn.transformer import GPT
from adl.sequence.language import language_model
from experiments.bench import Contenders, Run, apart, ours
from experiments.bench.peers import gpt_torch

SMALL = {"num_layers": 4, "num_heads": 4, "width": 128, "max_length": 64}
LARGE = {"num_layers": 6, "num_heads": 6, "width": 384, "max_length": 256}


class Work(NamedTuple):
    """Steps of AdamW with clipped gradients on random tokens, always from the same weights."""

    model: dict[str, int]
    batch_size: int  # texts a step
    num_steps: int  # that are timed at once
    microbatches: int = 1  # of ours; PyTorch takes whole batches
    vocab_size: int = 66

    @property
    def token(self) -> np.ndarray:
        """`[steps, B, T + 1]`."""
        shape = self.num_steps, self.batch_size, self.model["max_length"] + 1
        return np.random.default_rng(0).integers(0, self.vocab_size, shape, np.int32)

    @property
    def batches(self) -> dict[str, np.ndarray]:
        """`token` `[steps, B, T + 1]`."""
        return {"token": self.token}

    @property
    def algorithm(self) -> Algorithm:
        """All steps as one."""
        tx = optimizer.adam(1e-3, clip=1.0, b2=0.99, weight_decay=0.1, mask=optimizer.matrices)
        learned = language_model(GPT(self.vocab_size, **self.model), tx, microbatches=self.microbatches)
        return jitted(repeated(learned, self.num_steps))


def theirs(work: Work, is_compiled: bool) -> Run:
    """The contender PyTorch, on as many threads as there are cores."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    params = work.algorithm.init(jax.random.key(0), work.batches).params
    model = work.model
    peer = gpt_torch.GPT(work.vocab_size, *(model[name] for name in ("max_length", "num_layers", "num_heads", "width")))
    step = gpt_torch.stepper(peer.load(jax.tree.map(np.array, params)), 1e-3, is_compiled=is_compiled)
    rows = torch.from_numpy(work.token).long()

    def run():
        started = time.perf_counter()
        loss = sum(step(row) for row in rows) / work.num_steps
        return 1e3 * (time.perf_counter() - started) / work.num_steps, loss

    return run


def contenders(work: Work = Work(SMALL, batch_size=12, num_steps=10)) -> Contenders:  # noqa: B008  it cannot change
    """Milliseconds a step. Before anything is timed, the losses of the first steps must agree."""
    runs = {
        "PyTorch": apart(theirs, work, False),
        "PyTorch, compiled": apart(theirs, work, True),
        "adl": apart(ours, work),
    }
    losses = {name: run()[1] for name, run in runs.items()}
    np.testing.assert_allclose(list(losses.values()), losses["PyTorch"], rtol=1e-4, err_msg=str(losses))
    return {name: lambda run=run: run()[0] for name, run in runs.items()}
