"""What of a program differs from device to device: found in its jaxpr, before it is compiled.

Under a mapped axis each device has its own share of what is split. What is computed of that is each device's own, until
a collective over the axis gives all of them the same.
"""

from collections.abc import Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

# Of primitives, by name: those whose result is the same on all devices of the axis.
ALIKE = {"psum", "psum2", "psum_invariant", "pmax", "pmin", "all_gather", "all_gather_invariant"}


def differs(program: ClosedJaxpr, given: Sequence[bool], axis: str) -> list[bool]:
    """Whether each output of a program may differ over the devices of an axis.

    Args:
      program: a jaxpr, as `jax.make_jaxpr` gives it under the axis.
      given: whether each input does.
      axis: name of the mapped axis.
    """
    return _through(program, tuple(given), axis, {})


def _through(program: ClosedJaxpr | Jaxpr, given: Sequence[bool], axis: str, seen: dict) -> list[bool]:
    jaxpr = _inner(program)
    place = (id(jaxpr), tuple(given))
    if place in seen:
        return seen[place]
    varying = dict(zip(jaxpr.invars, given, strict=True))

    def of(var: Any) -> bool:
        return not isinstance(var, Literal) and varying.get(var, False)  # constants are the same everywhere

    for eqn in jaxpr.eqns:
        found = _out_of(eqn, [of(var) for var in eqn.invars], axis, seen)
        varying.update(zip(eqn.outvars, found, strict=True))
    seen[place] = [of(var) for var in jaxpr.outvars]
    return seen[place]


def _inner(program: ClosedJaxpr | Jaxpr) -> Jaxpr:
    return program.jaxpr if isinstance(program, ClosedJaxpr) else program


def _same_rank(outside: Sequence[Any], inside: Sequence[Any]) -> int:
    return sum(a.aval.ndim == b.aval.ndim for a, b in zip(outside, inside, strict=True))


def _out_of(eqn: Any, given: list[bool], axis: str, seen: dict) -> list[bool]:
    """Whether each output of one equation differs."""
    name, params = eqn.primitive.name, eqn.params
    axes = params.get("axes", params.get("axis_name", ()))
    if axis == axes or (isinstance(axes, tuple) and axis in axes):
        is_alike = name in ALIKE and params.get("axis_index_groups") is None
        return [not is_alike] * len(eqn.outvars)
    if name == "scan":
        body = params["jaxpr"]
        # What has no axis of steps more than in the body: first constants, then the carry. JAX 0.10 and 0.12 differ in
        # where else they say it.
        carried = _same_rank(eqn.invars, _inner(body).invars)
        consts = carried - _same_rank(eqn.outvars, _inner(body).outvars)
        rest = given[carried:]
        carry, out = _settled(given[consts:carried], lambda h: _through(body, [*given[:consts], *h, *rest], axis, seen))
        return [*carry, *out[len(carry) :]]
    if name == "while":
        conds, bodies = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        of_cond, of_body = given[:conds], given[conds:bodies]

        def turn(carry: list[bool]) -> list[bool]:
            longer = _through(params["cond_jaxpr"], [*of_cond, *carry], axis, seen)[0]
            return [longer or x for x in _through(params["body_jaxpr"], [*of_body, *carry], axis, seen)]

        return _settled(given[bodies:], turn)[0]
    if name == "cond":
        branches = [_through(branch, given[1:], axis, seen) for branch in params["branches"]]
        return [given[0] or any(branch) for branch in zip(*branches, strict=True)]
    inner = [value for value in params.values() if isinstance(value, ClosedJaxpr | Jaxpr)]
    if len(inner) == 1:
        jaxpr = _inner(inner[0])
        if len(jaxpr.invars) == len(given) and len(jaxpr.outvars) == len(eqn.outvars):  # a call
            return _through(jaxpr, given, axis, seen)
    return [any(given)] * len(eqn.outvars)


def _settled(carry: list[bool], turn: Any) -> tuple[list[bool], list[bool]]:
    """What a loop's carry comes to, and what its last turn puts out."""
    while True:
        out = turn(carry)
        after = [before or now for before, now in zip(carry, out, strict=False)]
        if after == carry:
            return carry, out
        carry = after
