"""Ancestral sampling: a directed graph drawn from its roots to its leaves, each variable given its parents.

    p(x) = prod_i p(x_i | parents of i)

Source: Bishop & Bishop 2024, Deep Learning: Foundations and Concepts, section 14.1.6.
"""

import graphlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax

from adl.core.types import Key, PyTree


class Node(NamedTuple):
    """A variable, and how it is drawn."""

    draw: Callable[..., PyTree]  # draw(key, *values of the parents) -> value
    parents: tuple[str, ...] = ()


def ancestral(key: Key, nodes: Mapping[str, Node], given: Mapping[str, PyTree] = {}) -> dict[str, PyTree]:
    """One joint draw, a value for each name; `jax.vmap` over keys for many.

    Args:
      key: consumed; of two graphs that agree on a variable's name and parents' values, so do its draws.
      nodes: the graph, in any order.
      given: values of variables that are set, not drawn: an intervention, not an observation (whoever is set tells
        nothing of its parents).
    Raises:
      graphlib.CycleError: if a variable is its own ancestor.
      KeyError: if a parent is no variable.
    """
    for name, node in nodes.items():
        for parent in node.parents:
            if parent not in nodes:
                raise KeyError(f"{name} has a parent {parent} that is no variable of the graph")
    order = graphlib.TopologicalSorter({name: node.parents for name, node in nodes.items()}).static_order()
    keys = dict(zip(sorted(nodes), jax.random.split(key, len(nodes)), strict=True))
    values: dict[str, PyTree] = {}
    for name in order:
        own = nodes[name]
        values[name] = (
            given[name] if name in given else own.draw(keys[name], *(values[parent] for parent in own.parents))
        )
    return values
