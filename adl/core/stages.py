"""One step of several: which it is, a number in the program says."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import jaxpr_as_fun

from adl.core import tree
from adl.core.types import Algorithm, Array, Batch, Key, Metrics, PyTree, State


def staged(
    init: Callable[[Key, Batch], State],
    steps: Sequence[Callable[[Key, State, Batch], tuple[State, Metrics]]],
    stage: Callable[[Batch], Array],
    axes: PyTree = None,
) -> Algorithm:
    """Stages of which the batch says the present one, so that of many runs in one program each step runs but one.

    Metrics as of `alternate`, whose phases follow a count of the state's own instead.

    Args:
      init: initial state, shared by all stages.
      steps: a step of each stage on that state.
      stage: `stage(batch)`, a number `[]` in 0 ... S - 1, the same of every device's share.
      axes: of the state, as in `Algorithm`.
    """

    def step(key, state, batch):
        return step_of(steps, stage(batch), key, state, batch)

    return Algorithm(init, step, axes)


def step_of(steps: Sequence[Callable], index: Array, key: Key, state: State, batch: Batch) -> tuple[State, Metrics]:
    """The index-th step `[]`; metrics of the others count nothing (`Mean(0, 0)`), and what stands twice is traced once.

    Args:
      steps: on the same state.
      index: `[]` integer in 0 ... S - 1.
      key: of the step.
      state: before it.
      batch: of the step.
    """
    leaves, form = jax.tree.flatten((key, state, batch))
    traced = {}
    for step in dict.fromkeys(steps):
        traced[step] = jax.make_jaxpr(lambda *flat, step=step: step(*form.unflatten(flat)), return_shape=True)(*leaves)
    shapes = [shape[1] for _, shape in traced.values()]
    neutral = {name: tree.zeros(value) for metrics in shapes for name, value in metrics.items()}

    def branch(program, shape):
        def run(*flat):
            new, metrics = jax.tree.unflatten(jax.tree.structure(shape), jaxpr_as_fun(program)(*flat))
            return new, {**neutral, **metrics}

        return run

    different = [*traced]
    which = jnp.asarray([different.index(step) for step in steps])
    return lax.switch(which[index], [branch(*one) for one in traced.values()], *leaves)
