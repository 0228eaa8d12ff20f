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
import numpy as np
from flax.errors import ScopeParamShapeError

from adl.core.errors import BadInput, did_you_mean
from adl.core.types import Algorithm, Key, PyTree

Factory = Callable[..., Algorithm]

_COLUMN = re.compile(r"(?:(float|int) )?\[([^\]]*)\](\?)?")
_KINDS = {"float": jnp.floating, "int": jnp.integer}
_ARRAYS = (jax.Array, np.ndarray, np.generic, jax.ShapeDtypeStruct)


def columns(**wanted: str) -> Callable[[Factory], Factory]:
    """Decorator of a factory: its `init` and `step` say in one line what is wrong with a batch, as `check` does."""
    return _looking(lambda batch: check(batch, **wanted))


def rows(factory: Factory) -> Factory:
    """The same where the columns are the caller's own: all have as many rows, as `as_many` says."""
    return _looking(as_many, asking)(factory)


def prepared(prepare: Callable[[Key, PyTree], PyTree], x: str = "float [B, ...]") -> Callable[[Key, PyTree], PyTree]:
    """A `prepare` whose first result, or only one, is held to be `x`, and all of which have as many rows.

    A column that it asks for in vain is said in one line, as `asking` says it.
    """

    def checked(key, batch):
        with asking(batch):
            made = prepare(key, batch)
        first = made[0] if isinstance(made, tuple) else made
        if isinstance(first, Mapping):
            picks = f"prepare=lambda key, batch: batch[{next(iter(first), 'x')!r}] picks a column"
            raise BadInput(f"a batch is an array {x} here, not a dict; {picks}")
        check({"x": first}, x=x)
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


@contextlib.contextmanager
def asking(batch: PyTree) -> Iterator[None]:
    """Within it, whoever asks for a column of the batch by a name that it has not is told in one line.

    Raises:
      BadInput: for that column; or, where the batch is no dict, that it should be one.
    """
    try:
        yield
    except KeyError as error:
        name = error.args[0] if error.args else None
        if isinstance(batch, Mapping) and isinstance(name, str) and name not in batch:
            raise BadInput(_missing(name, "", batch)) from error
        raise
    except (TypeError, IndexError) as error:
        if isinstance(batch, Mapping) or not re.search("indices|subscriptable|indexing", str(error)):
            raise
        raise BadInput(f"a batch is a dict of columns, not {_told(batch)}") from error


def require_arrays(batch: PyTree) -> None:
    """Nothing, where all that a batch holds are arrays or numbers, as a compiled step needs.

    Raises:
      BadInput: naming what is none.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(batch):
        if not _is_array(leaf) and not isinstance(leaf, int | float | complex) and not _is_key(leaf):
            name = ".".join(str(getattr(part, "key", getattr(part, "idx", part))) for part in path) or "the batch"
            only = "a compiled step takes arrays of numbers alone; make one of it, or leave it out"
            raise BadInput(f"{name} is {_told(leaf)}, and {only}")


def check(batch: Mapping[str, PyTree], **wanted: str) -> None:
    """Nothing, where the columns of a batch are as they are wanted.

    Args:
      batch: arrays by name; what else it holds is not looked at.
      **wanted: a column each, in the words of the module.
    Raises:
      BadInput: a column is missing, of another rank, of another kind, or of another length than the others.
    """
    if not isinstance(batch, Mapping):
        needed = ", ".join(f"{name!r}: {text}" for name, text in wanted.items() if not text.endswith("?"))
        raise BadInput(f"a batch is {{{needed}}}, not {_told(batch)}")
    sizes = {}
    for name, text in wanted.items():
        kind, letters, optional = _COLUMN.fullmatch(text).groups()
        x = batch.get(name)
        if x is None and optional:
            continue
        if name not in batch:
            raise BadInput(_missing(name, f" {text}", batch))
        dims = [letter.strip() for letter in letters.split(",") if letter.strip()]
        fixed = dims[:-1] if dims[-1:] == ["..."] else dims
        wrong = f"{name} is {_told(x)}, where {text.rstrip('?')} is wanted"
        if not _is_array(x) and not isinstance(x, int | float):
            raise BadInput(f"{wrong}{_remedy(x)}")
        shape = jnp.shape(x)
        fits = len(shape) >= len(fixed) if len(fixed) < len(dims) else len(shape) == len(fixed)
        if not fits or (kind and not jnp.issubdtype(jnp.result_type(x), _KINDS[kind])):
            raise BadInput(wrong)
        for dim, size in zip(fixed, shape, strict=False):
            letter, _, more = dim.partition("+")
            size -= int(more or 0)
            if sizes.setdefault(letter, size) != size:
                raise BadInput(f"{wrong} with {letter} = {sizes[letter]}")
        if sizes.get("B") == 0:
            raise BadInput(f"{wrong}: it has no rows")


def as_many(tree: PyTree) -> None:
    """Nothing, where all leaves `[B, ...]` of a tree are arrays of one length.

    Raises:
      BadInput: they are not, or one has no rows.
    """
    for name, column in tree.items() if isinstance(tree, Mapping) else ():
        if isinstance(column, list) or not jax.tree.leaves(column):
            raise BadInput(f"{name} is {_told(column)}, where [B, ...] is wanted{_remedy(column)}")
    leaves = [(jax.tree_util.keystr(path) or "x", leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
    for name, leaf in leaves:
        if not _is_array(leaf) and not isinstance(leaf, int | float):
            raise BadInput(f"{name} is {_told(leaf)}, where [B, ...] is wanted{_remedy(leaf)}")
        if not jnp.ndim(leaf) or len(leaf) != len(leaves[0][1]):
            first = f"where {leaves[0][0]} is {_told(leaves[0][1])}" if leaf is not leaves[0][1] else "one number"
            raise BadInput(f"{name} is {_told(leaf)}, {first}: all need as many rows")
        if not len(leaf):
            raise BadInput(f"{name} is {_told(leaf)}: it has no rows")


def _looking(
    look: Callable[[PyTree], None],
    within: Callable[[PyTree], contextlib.AbstractContextManager] = contextlib.nullcontext,
) -> Callable[[Factory], Factory]:
    """Decorator of a factory whose algorithm looks at a batch first, and reads it within a context."""

    def decorate(factory):
        @functools.wraps(factory)
        def make(*args, **options):
            algorithm = factory(*args, **options)

            def init(key, batch):
                look(batch)
                with within(batch):
                    return algorithm.init(key, batch)

            def step(key, state, batch):
                look(batch)
                with within(batch):
                    return algorithm.step(key, state, batch)

            return algorithm._replace(init=init, step=step)

        return make

    return decorate


def _missing(name: str, text: str, batch: Mapping) -> str:
    there = list(map(str, batch))
    return f"a batch needs {name}{text}; this has {', '.join(there) or 'nothing'}{did_you_mean(name, there)}"


def _remedy(x: PyTree) -> str:
    """What makes an array of something that is nearly one."""
    if isinstance(x, Mapping | str | np.ndarray) or x is None or not hasattr(x, "__len__") or _is_key(x):
        return ""
    return "; np.asarray(...) makes an array of it"


def _is_array(x: PyTree) -> bool:
    """Whether something is an array of numbers or of booleans, on any device or traced."""
    numbers = (jnp.number, jnp.bool_)
    return isinstance(x, _ARRAYS) and any(jnp.issubdtype(x.dtype, kind) for kind in numbers)


def _is_key(x: PyTree) -> bool:
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _told(x: PyTree) -> str:
    """What an array is, as `float32 [16, 2]`; of all else the type, as `torch.Tensor [16, 2]`."""
    if _is_array(x):
        return f"{jnp.result_type(x)} {list(jnp.shape(x))}"
    kind, room = type(x).__name__, type(x).__module__.partition(".")[0]
    name = str(x.dtype) if isinstance(x, _ARRAYS) else kind if room in ("builtins", "__main__") else f"{room}.{kind}"
    shape = getattr(x, "shape", None)
    return f"{name} {list(shape)}" if isinstance(shape, tuple) else "None" if x is None else name
