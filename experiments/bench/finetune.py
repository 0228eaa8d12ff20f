"""Tuning all weights of a GPT-2 of Hugging Face's, beside a plain PyTorch loop on that very model (extra `bench`)."""

import os
import time
from typing import NamedTuple

import numpy as np
import torch
import transformers

from adl.core import Algorithm, jitted, optimizer, repeated
from adl.nn import pretrained
from adl.sequence.language import language_model
from experiments.bench import Contenders, Run, apart, ours
from experiments.bench.peers import gpt_torch

SMALL = {"n_layer": 4, "n_head": 4, "n_embd": 128, "n_positions": 128, "vocab_size": 1000}
WORK = {"tokens": 8 * 127}


class Tuning(NamedTuple):
    """Steps of AdamW with clipped gradients on random tokens, always from the same weights."""

    model: dict[str, int] = SMALL
    batch_size: int = 8  # texts a step, as long as the model reads
    num_steps: int = 5  # that are timed at once

    @property
    def batches(self) -> dict[str, np.ndarray]:
        """`token` `[steps, B, T]`, of which T - 1 are predicted."""
        shape = self.num_steps, self.batch_size, self.model["n_positions"]
        return {"token": np.random.default_rng(0).integers(0, self.model["vocab_size"], shape, np.int32)}

    @property
    def peer(self) -> transformers.GPT2LMHeadModel:
        """Hugging Face's model, without dropout."""
        torch.manual_seed(0)
        still = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(**self.model, **still, bos_token_id=0, eos_token_id=0)
        )

    @property
    def algorithm(self) -> Algorithm:
        """All steps as one, from the peer's weights."""
        peer = self.peer
        tensors = {name: tensor.numpy() for name, tensor in peer.state_dict().items()}
        network, params, _ = pretrained.load(peer.config.to_dict(), tensors)
        tx = optimizer.adam(1e-4, clip=1.0, b2=0.99, weight_decay=0.1, mask=optimizer.matrices)
        return jitted(repeated(language_model(network, tx, start=params), self.num_steps))


class Logits(torch.nn.Module):
    """What a model of Hugging Face's says of tokens, alone."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """`[B, T, V]` from `[B, T]`."""
        return self.model(token, use_cache=False).logits


def theirs(work: Tuning) -> Run:
    """The contender PyTorch, on as many threads as there are cores."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    step = gpt_torch.stepper(Logits(work.peer), 1e-4, is_compiled=False)
    rows = torch.from_numpy(work.batches["token"]).long()

    def run():
        started = time.perf_counter()
        loss = sum(step(row) for row in rows) / work.num_steps
        return 1e3 * (time.perf_counter() - started) / work.num_steps, loss

    return run


def contenders(work: Tuning = Tuning()) -> Contenders:  # noqa: B008  it cannot change
    """Milliseconds a step. Before anything is timed, the losses of the first steps must agree."""
    runs = {"PyTorch": apart(theirs, work), "adl": apart(ours, work)}
    losses = {name: run()[1] for name, run in runs.items()}
    np.testing.assert_allclose(list(losses.values()), losses["PyTorch"], rtol=1e-4, err_msg=str(losses))
    return {name: lambda run=run: run()[0] for name, run in runs.items()}
