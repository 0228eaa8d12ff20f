"""Training of nanoGPT's model for a CPU, beside PyTorch, eager and compiled (extra `bench`)."""

import os
import time
from collections.abc import Callable

import jax
import numpy as np
import optax
import torch

from adl.core import jitted, repeated
from adl.nn.transformer import GPT
from adl.sequence.language import language_model
from experiments.benchmarks import Contenders
from experiments.peers import gpt_torch

SMALL = {"num_layers": 4, "num_heads": 4, "width": 128, "max_length": 64}
LARGE = {"num_layers": 6, "num_heads": 6, "width": 384, "max_length": 256}


def contenders(
    model: dict[str, int] = SMALL,
    *,
    batch_size: int = 12,
    num_steps: int = 10,
    vocab_size: int = 66,
    microbatches: int = 1,
) -> Contenders:
    """Steps of AdamW with clipped gradients on random tokens, from the same weights; in milliseconds a step.

    All use as many threads as there are cores. Before anything is timed, the losses of the first steps must agree.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rng = np.random.default_rng(0)
    token = rng.integers(0, vocab_size, (num_steps, batch_size, model["max_length"] + 1), np.int32)
    network = GPT(vocab_size, **model)
    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(1e-3, b2=0.99, weight_decay=0.1, mask=lambda params: jax.tree.map(lambda p: p.ndim > 1, params)),
    )
    algorithm = jitted(repeated(language_model(network, tx, microbatches=microbatches), num_steps))
    key = jax.random.key(0)
    batches = jax.device_put({"token": token})
    state = [algorithm.init(key, batches)]
    params = jax.tree.map(np.array, state[0].params)

    def ours() -> float:
        started = time.perf_counter()
        state[0], metrics = algorithm.step(key, state[0], batches)
        jax.block_until_ready((state[0], metrics))
        ours.loss = float(metrics["loss"].value)
        return 1e3 * (time.perf_counter() - started) / num_steps

    def theirs(is_compiled: bool) -> Callable[[], float]:
        peer = gpt_torch.GPT(vocab_size, model["max_length"], model["num_layers"], model["num_heads"], model["width"])
        step = gpt_torch.stepper(peer.load(params), 1e-3, is_compiled=is_compiled)
        rows = torch.from_numpy(token).long()

        def run() -> float:
            started = time.perf_counter()
            run.loss = sum(step(row) for row in rows) / num_steps
            return 1e3 * (time.perf_counter() - started) / num_steps

        return run

    runs = {"PyTorch": theirs(False), "PyTorch, compiled": theirs(True), "adl": ours}
    for run in runs.values():
        run()
    losses = {name: run.loss for name, run in runs.items()}
    np.testing.assert_allclose(list(losses.values()), losses["PyTorch"], rtol=1e-4, err_msg=str(losses))
    return runs
