"""Texts of a small GPT-2 from a cache, beside Hugging Face's `generate` with the same weights (extra `bench`)."""

import time
from collections.abc import Callable

import jax
import numpy as np
import torch

from adl.sequence.beam import beam_search
from adl.sequence.decode import generate, reading
from experiments.bench import Contenders
from experiments.bench.peers.gpt2_transformers import both_gpt2

SMALL = {"n_layer": 4, "n_head": 4, "n_embd": 128, "n_positions": 256, "vocab_size": 1000}
LARGE = {"n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1024, "vocab_size": 50257}  # GPT-2's smallest


def contenders(
    model: dict[str, int] = SMALL,
    *,
    batch_size: int = 8,
    prompt_length: int = 32,
    num_tokens: int = 128,
    num_beams: int = 1,
) -> Contenders:
    """The likeliest next token again and again, or beams; in milliseconds a 1,000 tokens of texts.

    Random weights, four times as large as at the start, and random prompts; nothing ends a text early. All use as many
    threads as there are cores. Before anything is timed, the texts must be equal, token for token.
    """
    peer, network, params = both_gpt2(model)
    prompt = np.random.default_rng(0).integers(0, model["vocab_size"], (batch_size, prompt_length), np.int32)

    @jax.jit
    def decode(params, prompt):
        read = reading(network, {"params": params})
        cache = network.empty_cache(batch_size, prompt_length + num_tokens - 1)
        if num_beams == 1:
            return generate(jax.random.key(0), read, cache, prompt, num_tokens).token
        return beam_search(read, cache, prompt, num_tokens, num_beams=num_beams).token[:, 0]

    def ours() -> np.ndarray:
        return np.asarray(decode(params, prompt))

    def theirs() -> np.ndarray:
        given = torch.from_numpy(prompt).long()
        options = {"do_sample": False, "eos_token_id": None, "num_beams": num_beams, "use_cache": True}
        with torch.no_grad():
            mask = torch.ones_like(given)
            texts = peer.generate(given, attention_mask=mask, max_new_tokens=num_tokens, pad_token_id=0, **options)
        return texts[:, prompt_length:].numpy()

    np.testing.assert_array_equal(ours(), theirs())

    def timed(decode: Callable[[], np.ndarray]) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            decode()
            return 1e6 * (time.perf_counter() - started) / (batch_size * num_tokens)

        return run

    return {"Hugging Face": timed(theirs), "adl": timed(ours)}
