"""Prompts of several lengths answered side by side, by how many, beside Hugging Face's `generate` (extra `bench`)."""

import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
import torch

from adl.sequence.decode import generate, reading
from experiments.bench import Contenders
from experiments.bench.peers.gpt2_transformers import both_gpt2

SMALL = {"n_layer": 4, "n_head": 4, "n_embd": 128, "n_positions": 128, "vocab_size": 1000}
WORK = {"tokens": 1000}


def contenders(
    model: dict[str, int] = SMALL,
    *,
    sizes: Sequence[int] = (1, 4, 16, 64),
    shortest: int = 4,
    longest: int = 32,
    num_tokens: int = 64,
) -> Contenders:
    """The likeliest next token again and again; in milliseconds a 1,000 tokens of answers, prompts included.

    Random weights, four times as large as at the start; prompts of lengths from `shortest` to `longest` are padded at
    their left. All use as many threads as there are cores. Before anything is timed, the answers must be equal.
    """
    peer, network, params = both_gpt2(model)
    rng = np.random.default_rng(0)
    prompt = rng.integers(0, model["vocab_size"], (max(sizes), longest), np.int32)
    mask = np.arange(longest)[None] >= longest - rng.integers(shortest, longest + 1, max(sizes))[:, None]

    @jax.jit
    def decode(params, prompt, mask):
        cache = network.empty_cache(len(prompt), longest + num_tokens - 1)
        return generate(
            jax.random.key(0), reading(network, {"params": params}), cache, prompt, num_tokens, mask=mask
        ).token

    def ours(size: int) -> np.ndarray:
        return np.asarray(decode(params, prompt[:size], mask[:size]))

    def theirs(size: int) -> np.ndarray:
        given, real = torch.from_numpy(prompt[:size]).long(), torch.from_numpy(mask[:size]).long()
        options = {"do_sample": False, "eos_token_id": None, "use_cache": True, "pad_token_id": 0}
        with torch.no_grad():
            texts = peer.generate(given, attention_mask=real, max_new_tokens=num_tokens, **options)
        return texts[:, longest:].numpy()

    for size in sizes:
        np.testing.assert_array_equal(ours(size), theirs(size))

    def timed(decode: Callable[[int], np.ndarray], size: int) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            decode(size)
            return 1e6 * (time.perf_counter() - started) / (size * num_tokens)

        return run

    ways = {"Hugging Face": theirs, "adl": ours}
    return {f"{who}, {size} prompts": timed(way, size) for size in sizes for who, way in ways.items()}
