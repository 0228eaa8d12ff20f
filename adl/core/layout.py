"""Layouts: which axis of each array of a state lies over which axis of a mesh. They move bytes, never numbers.

A mesh has an axis "data", over which batches split, and may have an axis "model", over which layers do. Layouts are
refinements, applied in turn: first what the algorithm itself splits (`Algorithm.axes`), then layers by `tensor`, and
what is then still whole on every device by `fsdp`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from adl.core import tree
from adl.core.errors import BadInput
from adl.core.types import Array, PyTree

Spec = tuple[str | None, ...]  # for each axis of an array the axis of the mesh that it splits over
Layout = Callable[[str, Array, Spec, Mesh], Spec]  # (path of a leaf, leaf, its spec so far, mesh) -> its spec

DATA, MODEL = "data", "model"

# Megatron's pairs: what widens is split by its outputs, what narrows again by its inputs, so that a pair of layers
# communicates once. Paths are those of the blocks in `adl.nn`; axes count from the end.
MEGATRON = (
    (r"(query|key|value|up|gate)/kernel$", -1),
    (r"(query|key|value|up|gate)/bias$", -1),
    (r"(out|down)/kernel$", -2),
    (r"tokens/embedding$", -2),
    (r"MLP_\d+/Dense_\d*[02468]/(kernel|bias)$", -1),
    (r"MLP_\d+/Dense_\d*[13579]/kernel$", -2),
)


def replicated(path: str, leaf: Array, spec: Spec, mesh: Mesh) -> Spec:
    """Data parallel: what nothing else splits is whole on every device."""
    return spec


def fsdp(path: str, leaf: Array, spec: Spec, mesh: Mesh) -> Spec:
    """Fully sharded data parallel: each leaf is split along its largest axis that divides by the mesh's "data".

    Parameters and optimizer state take 1/n of the memory between steps; in a step `sharded` has the parameters
    gathered. Source: Rajbhandari et al. 2020, arXiv:1910.02054 (ZeRO stage 3).
    """
    if DATA in spec:
        return spec
    fitting = [(size, i) for i, size in enumerate(leaf.shape) if spec[i] is None and _divides(mesh, DATA, size)]
    return _placed(spec, max(fitting)[1], DATA) if fitting else spec


def tensor(rules: Sequence[tuple[str, int]] = MEGATRON) -> Layout:
    """Tensor parallel: layers are split over the mesh's "model" by rules; without that axis, nothing is.

    Args:
      rules: pairs (pattern, axis): a leaf whose path, such as `params/MLP_0/Dense_0/kernel`, has the regular
        expression is split along that axis, counted from the end; the first that fits decides. An axis that does not
        divide stays whole.

    Source: Shoeybi et al. 2019, arXiv:1909.08053, section 3.
    """

    def layout(path: str, leaf: Array, spec: Spec, mesh: Mesh) -> Spec:
        if MODEL not in mesh.axis_names:
            return spec
        at = next((axis for pattern, axis in rules if re.search(pattern, path)), None)
        if at is None or len(spec) < -at or spec[at] is not None or not _divides(mesh, MODEL, leaf.shape[at]):
            return spec
        return _placed(spec, len(spec) + at, MODEL)

    return layout


def make_mesh(axes: dict[str, int] | None = None, devices: Sequence[Any] | None = None) -> Mesh:
    """Mesh over devices, of axes "data" and perhaps "model".

    Args:
      axes: sizes by name; all devices along "data" by default.
      devices: all by default, those of all processes.
    Raises:
      BadInput: if the axes have other names, or their sizes do not multiply to the number of devices.
    """
    devices = np.asarray(jax.devices() if devices is None else devices)
    axes = axes or {DATA: devices.size}
    if not set(axes) <= {DATA, MODEL}:
        raise BadInput(f"mesh axes {', '.join(axes)}: they must be {DATA} and {MODEL}")
    axes = {name: axes.get(name, 1) for name in (DATA, MODEL) if name == DATA or name in axes}
    if int(np.prod(list(axes.values()))) != devices.size:
        sizes = " x ".join(f"{name}={size}" for name, size in axes.items())
        raise BadInput(f"a mesh of {sizes}: the product must be the number of devices, {devices.size}")
    return Mesh(devices.reshape(*axes.values()), tuple(axes), axis_types=(AxisType.Auto,) * len(axes))


def data_mesh(devices: Sequence[Any] | None = None, axis: str = DATA) -> Mesh:
    """Mesh of one axis over `devices` (all by default)."""
    devices = jax.devices() if devices is None else devices
    return Mesh(np.asarray(devices), (axis,), axis_types=(AxisType.Auto,))


def shardings(axes: PyTree, state: PyTree, mesh: Mesh, layouts: Sequence[Layout]) -> PyTree:
    """A `NamedSharding` for each leaf of a state.

    Args:
      axes: prefix of the state, as in `Algorithm`: an integer is the axis that lies over the mesh's first.
      state: arrays or their shapes.
      mesh: of the devices.
      layouts: refinements, in turn.
    """
    axes = jax.tree.broadcast(axes, state, is_leaf=lambda x: x is None)

    def one(path, at, leaf):
        spec = tuple(mesh.axis_names[0] if i == at else None for i in range(leaf.ndim))
        for layout in layouts:
            spec = layout(tree.name(path), leaf, spec, mesh)
        return NamedSharding(mesh, PartitionSpec(*spec))

    return jax.tree.map_with_path(one, axes, state, is_leaf=lambda x: x is None)


def spread(batch: PyTree) -> PyTree:
    """Leaves `[B, ...]` split over the first axis of the mesh that is in use, if any and where B divides by it."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return batch
    name = mesh.axis_names[0]

    def one(leaf):
        return lax.with_sharding_constraint(leaf, PartitionSpec(name)) if _divides(mesh, name, len(leaf)) else leaf

    return jax.tree.map(one, batch)


def bytes_per_device(state: PyTree) -> int:
    """Bytes of a state that one device holds, the same on each, of arrays or of shapes with their shardings."""
    return sum(
        int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)
    )


def _divides(mesh: Mesh, name: str, size: int) -> bool:
    return size > 0 and size % mesh.shape[name] == 0


def _placed(spec: Spec, at: int, name: str) -> Spec:
    return (*spec[:at], name, *spec[at + 1 :])
