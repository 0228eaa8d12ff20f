"""The border of an algorithm: what its batch must look like, said in one line where it does not, when it is traced.

Columns are written as docstrings write them: "float [B, D]", "int [B]", "[B, ...]". Kinds are float, int, or any; equal
letters are equal sizes, "T+1" is one more than T, "..." any number of axes, and "?" at the end lets a column be absent.
"""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping

import jax
import jax.numpy as jnp
from flax.errors import ScopeParamShapeError

from adl.core.errors import BadInput, did_you_mean
from adl.core.types import Algorithm, Key, PyTree

Factory = Callable[..., Algorithm]

_COLUMN = re.compile(r"(?:(float|int) )?\[([^\]]*)\](\?)?")
_KINDS = {"float": jnp.inexact, "int": jnp.integer}


def columns(**wanted: str) -> Callable[[Factory], Factory]:
    """Decorator of a factory: its `init` and `step` say in one line what is wrong with a batch, as `check` does."""
    return _looking(lambda batch: check(batch, **wanted))


def rows(factory: Factory) -> Factory:
    """The same where the columns are the caller's own: all have as many rows, as `as_many` says."""
    return _looking(as_many)(factory)


def prepared(prepare: Callable[[Key, PyTree], PyTree], x: str = "float [B, ...]") -> Callable[[Key, PyTree], PyTree]:
    """A `prepare` whose first result, or only one, is held to be `x`, and all of which have as many rows."""

    def checked(key, batch):
        made = prepare(key, batch)
        check({"x": made[0] if isinstance(made, tuple) else made}, x=x)
        as_many(made)
        return made

    return checked


@contextlib.contextmanager
def same_inputs() -> Iterator[None]:
    """Within it, a network that is given what it was not made for says so in one line.

    Raises:
      BadInput: at trace time, if inputs are of another shape than those that the parameters were made for.
    """
    try:
        yield
    except ScopeParamShapeError as error:
        raise BadInput(f"the network was made for inputs of another shape: {str(error).split(' (https')[0]}") from error


def check(batch: Mapping[str, PyTree], **wanted: str) -> None:
    """Nothing, where the columns of a batch are as they are wanted.

    Args:
      batch: arrays by name; what else it holds is not looked at.
      **wanted: a column each, in the words of the module.
    Raises:
      BadInput: a column is missing, of another rank, of another kind, or of another length than the others.
    """
    if not isinstance(batch, Mapping):
        raise BadInput(f"a batch is a dict with {', '.join(wanted)}, not {_told(batch)}")
    sizes = {}
    for name, text in wanted.items():
        kind, letters, optional = _COLUMN.fullmatch(text).groups()
        if batch.get(name) is None:
            if not optional:
                raise BadInput(f"a batch needs {name} {text}; this has {', '.join(batch)}{did_you_mean(name, batch)}")
            continue
        dims, shape = [letter.strip() for letter in letters.split(",") if letter.strip()], jnp.shape(batch[name])
        fixed = dims[:-1] if dims[-1:] == ["..."] else dims
        wrong = f"{name} is {_told(batch[name])}, where {text.rstrip('?')} is wanted"
        fits = len(shape) >= len(fixed) if len(fixed) < len(dims) else len(shape) == len(fixed)
        if not fits or (kind and not jnp.issubdtype(jnp.result_type(batch[name]), _KINDS[kind])):
            raise BadInput(wrong)
        for dim, size in zip(fixed, shape, strict=False):
            letter, _, more = dim.partition("+")
            size -= int(more or 0)
            if sizes.setdefault(letter, size) != size:
                raise BadInput(f"{wrong} with {letter} = {sizes[letter]}")


def as_many(tree: PyTree) -> None:
    """Nothing, where all leaves `[B, ...]` of a tree are of one length.

    Raises:
      BadInput: they are not, or one has no rows.
    """
    leaves = [(jax.tree_util.keystr(path) or "x", leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
    for name, leaf in leaves:
        if not jnp.ndim(leaf) or len(leaf) != len(leaves[0][1]):
            first = f"{leaves[0][0]} is {_told(leaves[0][1])}"
            raise BadInput(f"{name} is {_told(leaf)}, where {first}: all need as many rows")


def _looking(look: Callable[[PyTree], None]) -> Callable[[Factory], Factory]:
    """Decorator of a factory whose algorithm looks at a batch first."""

    def decorate(factory):
        @functools.wraps(factory)
        def make(*args, **options):
            algorithm = factory(*args, **options)

            def init(key, batch):
                look(batch)
                return algorithm.init(key, batch)

            def step(key, state, batch):
                look(batch)
                return algorithm.step(key, state, batch)

            return algorithm._replace(init=init, step=step)

        return make

    return decorate


def _told(x: PyTree) -> str:
    """What an array is, as `float32 [16, 2]`."""
    return f"{jnp.result_type(x)} {list(jnp.shape(x))}" if hasattr(x, "shape") else type(x).__name__
