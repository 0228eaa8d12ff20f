"""Texts of a small GPT by every strategy, one text and 16 side by side: what search, chance and drafts cost.

The model and the network that drafts for it have learned 300 steps of source text: how far drafts help depends on how
alike the two are.
"""

import time
from collections.abc import Callable

import jax
import numpy as np

from adl import data
from adl.core import Learner, beside, optimizer
from adl.nn.transformer import GPT
from adl.sequence import reading, strategies
from adl.sequence.decode import reading as read_of
from adl.sequence.decode import top_k
from adl.sequence.speculative import speculative
from experiments.bench import Contenders

SIDE_BY_SIDE = (1, 16)  # texts


def contenders(
    num_steps: int = 300,
    *,
    num_layers: int = 4,
    width: int = 128,
    draft_layers: int = 1,
    draft_width: int = 64,
    prompt_length: int = 32,
    num_new: int = 96,
    num_beams: int = 4,
    num_drafted: int = 4,
) -> Contenders:
    """96 characters after 32; in milliseconds a 1,000 characters, prompts included.

    Before anything is timed, texts with drafts that take the likeliest character alone must be the greedy ones.
    """
    text = data.text.texts("python_library", test="validation")
    length = prompt_length + num_new
    models = {
        "model": GPT(len(text.tokens.vocabulary), length, num_layers, 4, width),
        "draft": GPT(len(text.tokens.vocabulary), length, draft_layers, 4, draft_width),
    }
    variables = {name: learner.variables for name, learner in learnt(models, text, length, num_steps).items()}
    prompts = data.text.continued(text.test, max(SIDE_BY_SIDE), prompt_length, num_new).prompt

    def drafted(key, variables, prompt, **given):
        large, small = (
            (read_of(models[name], variables[name]), models[name].empty_cache(len(prompt), length)) for name in models
        )
        return speculative(key, *large, *small, prompt, num_new, num_drafted=num_drafted, **given).token

    ways = strategies.strategies(models["model"], num_new, temperatures=(0.8,), k=10, p=0.95, num_beams=num_beams)
    ways = {name: lambda key, of, prompt, way=way: way(key, of["model"], prompt) for name, way in ways.items()}
    programs = {name: jax.jit(way) for name, way in {**ways, "speculative": drafted}.items()}
    likeliest = jax.jit(lambda *given: drafted(*given, adjust=top_k(1)))
    given = jax.random.key(0), variables, prompts
    np.testing.assert_array_equal(likeliest(*given), programs["greedy"](*given))

    def timed(program: Callable, size: int) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            jax.block_until_ready(program(jax.random.key(0), variables, prompts[:size]))
            return 1e6 * (time.perf_counter() - started) / (size * num_new)

        return run

    return {
        f"{strategies.label(name)}, {size}": timed(program, size)
        for size in SIDE_BY_SIDE
        for name, program in programs.items()
    }


def learnt(models: dict[str, GPT], text: data.text.Texts, length: int, num_steps: int) -> dict[str, Learner]:
    """The networks, after so many steps side by side."""
    tx = optimizer.adam(3e-3, optimizer.cosine(num_steps, warmup=100), clip=1.0)
    reads = {name: reading.InPieces(model, length) for name, model in models.items()}
    alg, batches = (
        beside({name: read.learns(tx) for name, read in reads.items()}),
        reads["model"].batches(text.train, 12),
    )
    key, step = jax.random.key(0), jax.jit(alg.step, donate_argnums=1)
    state = jax.jit(alg.init)(key, batches[0])
    for t in range(num_steps):
        state, _ = step(jax.random.fold_in(key, t), state, batches[t])
    return state
