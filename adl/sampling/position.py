"""Positions of any structure: samplers move vectors, and what a person samples is a tree of arrays and numbers.

    x = {"mean": [D], "scale": []}   <->   [D + 1], all entries in a row, in the order of the tree's leaves

A sampler of vectors becomes one of trees by a decorator: densities see the tree, the state's `position` has its
structure, and whatever else the state holds (gradients, masses) is of the row.
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from adl.core import Algorithm, BadInput, tree
from adl.core.types import Array, PyTree

_OF_POSITIONS = ("log_reference", "log_prior")  # arguments by keyword that are densities of positions


class _Row(NamedTuple):
    """How a tree lies in a row."""

    structure: Any  # of the tree
    leaves: tuple[jax.ShapeDtypeStruct, ...]

    def of(self, position: PyTree) -> Array:
        """`[..., D]` of a tree, leaves `[..., *shape]` with any leading axes."""
        parts = []
        for leaf, like in zip(self.structure.flatten_up_to(position), self.leaves, strict=True):
            leaf = jnp.asarray(leaf)
            parts.append(leaf.reshape(*leaf.shape[: leaf.ndim - len(like.shape)], math.prod(like.shape)))
        return jnp.concatenate(parts, -1)

    def tree(self, x: Array) -> PyTree:
        """The tree, leaves `[..., *shape]`, of a row `[..., D]`."""
        leaves, first = [], 0
        for like in self.leaves:
            last = first + math.prod(like.shape)
            leaves.append(x[..., first:last].reshape(*x.shape[:-1], *like.shape).astype(like.dtype))
            first = last
        return self.structure.unflatten(leaves)


def flattening(sampler: Callable[..., Algorithm]) -> Callable[..., Algorithm]:
    """Decorator of a sampler of vectors, `sampler(density, start, **options)`, that takes any tree of real arrays.

    The draws are those of the sampler of the row by the same key. Of a plain vector the sampler is as it was.

    Raises:
      BadInput: when a sampler is made, if a start holds something else than real numbers, or a density gives no number.
    """
    first = next(iter(inspect.signature(sampler).parameters))

    @functools.wraps(sampler)
    def make(density, start, **options):
        example = jax.eval_shape(start, jax.random.key(0))
        row = _in_a_row(example)
        densities = {first: density} if first == "log_density" else {}
        for name, fn in (densities | {name: options[name] for name in _OF_POSITIONS if name in options}).items():
            _require_number(name, fn, example)
        if isinstance(example, jax.ShapeDtypeStruct) and len(example.shape) == 1:
            return sampler(density, start, **options)

        def of_row(fn):
            return lambda x, *more: fn(row.tree(x), *more)

        for name in _OF_POSITIONS:
            if name in options:
                options[name] = of_row(options[name])
        if "width" in options and jax.tree.structure(options["width"]) == row.structure:
            pairs = zip(jax.tree.leaves(options["width"]), row.leaves, strict=True)
            wide = [jnp.broadcast_to(width, like.shape) for width, like in pairs]
            options["width"] = row.of(row.structure.unflatten(wide))
        alg = sampler(of_row(density), lambda key: row.of(start(key)), **options)

        def shown(state):
            return state._replace(position=row.tree(state.position))

        def init(key, batch):
            return shown(alg.init(key, batch))

        def step(key, state, batch):
            state, metrics = alg.step(key, state._replace(position=row.of(state.position)), batch)
            return shown(state), metrics

        return alg._replace(init=init, step=step)

    return make


def _in_a_row(example: PyTree) -> _Row:
    leaves, structure = jax.tree.flatten(example)
    for path, leaf in jax.tree_util.tree_leaves_with_path(example):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            what = f"{tree.name(path) or 'the position'} is {leaf.dtype} {list(leaf.shape)}"
            others = "gibbs and metropolis_hastings take positions of any kind"
            raise BadInput(f"start: {what}, and this sampler moves along real numbers; {others}")
    if not sum(leaf.size for leaf in leaves):
        raise BadInput("start: it gives a position without a number")
    return _Row(structure, tuple(leaves))


def _require_number(name: str, density: Callable[[PyTree], Array], example: PyTree) -> None:
    found = jax.eval_shape(density, example)
    if not isinstance(found, jax.ShapeDtypeStruct) or found.shape:
        told = f"{found.dtype} {list(found.shape)}" if hasattr(found, "shape") else type(found).__name__
        raise BadInput(f"{name} gives {told} of one position, where one number [] is wanted; sum over its entries")
