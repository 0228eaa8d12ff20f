"""Where a step runs: compiled on one device, on each device's share of a batch, or laid out over a mesh.

The only file, beside `layout` and `probe`, that names a device, a mesh or `pmap`. It moves a step, never its numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adl.core import tree
from adl.core.border import require_arrays
from adl.core.errors import BadInput
from adl.core.key import fold_in
from adl.core.layout import Layout, data_mesh, shardings
from adl.core.types import Algorithm, Batch, Learner, PyTree
from adl.core.varying import differs


def jitted(alg: Algorithm) -> Algorithm:
    """Compiles init and step; the step's state is donated, so the caller's old state is gone.

    Raises:
      BadInput: when called with a batch that holds something else than arrays, naming it.
    """
    return Algorithm(Compiled(alg.init), Compiled(alg.step, donate_argnums=1), alg.axes)


class Compiled:
    """`jax.jit(fn, **options)` of an init or a step, which says in one line what of a batch cannot be compiled for."""

    def __init__(self, fn: Callable, **options):
        self._fn = jax.jit(fn, **options)

    def __call__(self, *args):
        """As `fn`, whose last argument is the batch."""
        try:
            return self._fn(*args)
        except TypeError:
            require_arrays(args[-1])
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fn, name)


def on_host(fn: Callable) -> Callable:
    """`fn` of arrays, compiled for the processor of this machine, whatever its accelerators: data that are made alike
    everywhere.
    """
    compiled = jax.jit(fn)

    def call(*arguments):
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            return compiled(*arguments)

    return call


def over_devices(alg: Algorithm, axis: str = "data", devices: Sequence[Any] | None = None) -> Algorithm:
    """Each device steps on its share of the batch (pmap); `alg` must have been built with this `axis`.

    The key is folded with the device's index, metrics are summed over devices. State leaves keep their ordinary,
    global shapes: replicated where `alg.axes` is None, split along the axis it names where it is an integer.

    Args:
      alg: an algorithm whose reductions name `axis` (`descend`, `accumulate` with `axis=axis`).
      axis: name of the mapped axis.
      devices: all by default.
    Raises:
      BadInput: if a batch or a split state axis does not divide by the number of devices; at trace time, if a
        replicated leaf would come to differ, since the step makes it of a device's own batch or key without a
        reduction over `axis`.
    """
    mesh = data_mesh(devices, axis)
    size = mesh.size

    def one_device(key, state, own):
        index, batch = own
        key = fold_in(key, index)
        program, shapes = jax.make_jaxpr(alg.step, return_shape=True)(key, state, batch)
        _require_alike(program, alg.axes, state, batch, shapes[0], axis)
        state, metrics = jax.tree.unflatten(
            jax.tree.structure(shapes), jaxpr_as_fun(program)(*jax.tree.leaves((key, state, batch)))
        )
        return state, lax.psum(metrics, axis)

    step = jax.pmap(
        one_device,
        axis,
        in_axes=(None, alg.axes, 0),
        out_axes=(alg.axes, None),
        devices=list(mesh.devices.flat),
    )

    def split(axes, leaves, what):
        def one(at, leaf):
            if at is None:
                return leaf
            if leaf.shape[at] % size:
                raise BadInput(f"{what} of {leaf.shape[at]} does not divide by {size} devices")
            return leaf.reshape(*leaf.shape[:at], size, -1, *leaf.shape[at + 1 :])

        return _map_axes(one, axes, leaves)

    def merge(axes, leaves):
        def one(at, leaf):
            return leaf if at is None else leaf.reshape(*leaf.shape[:at], -1, *leaf.shape[at + 2 :])

        return _map_axes(one, axes, leaves)

    def lifted(key, state, batch):
        # An index for each device, so that something is split where the batch is (): of nothing JAX makes no program.
        own = jnp.arange(size), split(0, batch, "a batch")
        state, metrics = step(key, split(alg.axes, state, "a state axis"), own)
        return merge(alg.axes, state), metrics

    return Algorithm(_placed(alg.init, alg.axes, mesh), Compiled(lifted, donate_argnums=1), alg.axes)


def sharded(alg: Algorithm, mesh: Mesh, *layouts: Layout) -> Algorithm:
    """The global step under `jit`, with the batch split over the mesh's first axis and the state laid out.

    The compiler inserts the communication; the numbers are those of `jitted` up to the order of sums.

    Args:
      alg: an algorithm built with `axis=None`.
      mesh: axes of type `AxisType.Auto`, as from `make_mesh`.
      layouts: refinements in turn, such as `tensor(), fsdp`; without any, the state is whole on every device but
        where `alg.axes` splits it.
    """
    split = rows(mesh)

    def step(key, state, batch):
        for leaf in jax.tree.leaves(batch):
            _require_divisible(leaf.shape[0], mesh)
        batch = jax.tree.map(lambda x: lax.with_sharding_constraint(x, split), batch)
        state = _gathered(_laid_out(state, alg.axes, mesh, layouts), shardings(alg.axes, state, mesh, layouts), mesh)
        state, metrics = alg.step(key, state, batch)
        metrics = lax.with_sharding_constraint(metrics, NamedSharding(mesh, PartitionSpec()))
        return _laid_out(state, alg.axes, mesh, layouts), metrics

    return Algorithm(_placed(alg.init, alg.axes, mesh, layouts), Compiled(step, donate_argnums=1), alg.axes)


def distributed(batch: Batch, mesh: Mesh, *, at: int = 0) -> Batch:
    """A process's rows of a batch as arrays of the whole, split over the mesh's first axis.

    Args:
      batch: leaves `[B / n, ...]`, the part that `share_of_batch` names; with one process all of it.
      mesh: of the devices of all processes.
      at: axis of the rows; 1 where steps come first.
    Raises:
      BadInput: if the batch does not divide by the devices.
    """
    _, count = share_of_batch(mesh)
    for leaf in jax.tree.leaves(batch):
        _require_divisible(count * leaf.shape[at], mesh)
    sharding = rows(mesh, at=at)
    return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, np.asarray(leaf)), batch)


def rows(mesh: Mesh, *, at: int = 0) -> NamedSharding:
    """Where a batch lies whose rows are its axis `at`: split over the mesh's first axis."""
    return NamedSharding(mesh, PartitionSpec(*[None] * at, mesh.axis_names[0]))


def share_of_batch(mesh: Mesh) -> tuple[int, int]:
    """(index, count): a batch is cut into `count` equal parts, of which this process's devices hold that one.

    Processes that differ only along other axes of the mesh hold the same part.
    """
    rows = mesh.devices.reshape(len(mesh.devices), -1)
    mine = [i for i, row in enumerate(rows) if any(device.process_index == jax.process_index() for device in row)]
    return mine[0] // len(mine), len(rows) // len(mine)


@jax.jit
def stack(trees: Sequence[PyTree]) -> PyTree:
    """Trees of equal structure as one, with a leading axis: one transfer to the host instead of one for each leaf."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _map_axes(fn: Callable, axes: PyTree, state: PyTree) -> PyTree:
    """`fn(axis or None, leaf)` for each leaf of the state, with `axes` a prefix of it."""
    axes = jax.tree.broadcast(axes, state, is_leaf=lambda x: x is None)
    return jax.tree.map(fn, axes, state, is_leaf=lambda x: x is None)


def _require_alike(program: ClosedJaxpr, axes: PyTree, state: PyTree, batch: Batch, after: PyTree, axis: str) -> None:
    """Nothing, where a step leaves what is replicated alike on all devices."""

    def split(state: PyTree) -> list[bool]:
        return jax.tree.leaves(_map_axes(lambda at, _: at is not None, axes, state))

    given = [True, *split(state), *[True] * len(jax.tree.leaves(batch))]
    leaves = jax.tree_util.tree_leaves_with_path(after)
    differing = differs(program, given, axis)[: len(leaves)]
    for (path, _), is_split, is_different in zip(leaves, split(after), differing, strict=True):
        if is_different and not is_split:
            raise BadInput(
                f"{tree.name(path) or 'the state'} would differ from device to device: the step makes it of its own "
                f"batch or key, and does not reduce it over {axis!r}. Build the algorithm with axis={axis!r}"
            )


def _require_divisible(size: int, mesh: Mesh) -> None:
    devices = mesh.shape[mesh.axis_names[0]]
    if size % devices:
        raise BadInput(f"a batch of {size} does not divide by {devices} devices")


def _laid_out(state: PyTree, axes: PyTree, mesh: Mesh, layouts: Sequence[Layout]) -> PyTree:
    return lax.with_sharding_constraint(state, shardings(axes, state, mesh, layouts))


def _gathered(state: PyTree, split: PyTree, mesh: Mesh) -> PyTree:
    """Parameters of each learner whole along the mesh's first axis; what else splits stays as it is.

    Left to itself the compiler may move activations instead: a step of GPT-2, fully sharded over 64 chips, sent seven
    times as much, and over 256 did not fit.
    """

    def gather(leaf, sharding):
        spec = [None if name == mesh.axis_names[0] else name for name in sharding.spec]
        return lax.with_sharding_constraint(leaf, NamedSharding(mesh, PartitionSpec(*spec)))

    def one(node, sharding):
        is_learner = isinstance(node, Learner)
        return node._replace(params=jax.tree.map(gather, node.params, sharding.params)) if is_learner else node

    return jax.tree.map(one, state, split, is_leaf=lambda node: isinstance(node, Learner))


def _placed(init: Callable, axes: PyTree, mesh: Mesh, layouts: Sequence[Layout] = ()) -> Callable:
    """`init`, compiled, with its result where the steps will want it: else the second step compiles again."""
    return Compiled(lambda key, batch: _laid_out(init(key, batch), axes, mesh, layouts))
