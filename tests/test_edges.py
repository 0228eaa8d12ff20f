"""The law of edges: at large offsets, extreme scales, zero probabilities, constant columns, duplicates, one example and
long sequences a public function's value and gradient are finite and right, or nan where there is no answer; never a
good-looking number."""

import ast
import importlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.edge import Edge

HERE = Path(__file__).parent
PACKAGES = ("prob", "measure", "linear", "latent", "graphical", "sampling", "nn")
TABLES = {
    package: importlib.import_module(f"tests.{package}.edges")
    for package in PACKAGES
    if (HERE / package / "edges.py").exists()
}
EDGES: dict[str, Edge] = {
    f"{package}.{name}": edge for package, table in TABLES.items() for name, edge in table.EDGES.items()
}
STEP = 1e-5  # of differences, in units of what is differentiated


def public(package: str) -> set[str]:
    """ "module.function", "module.Class.method" and, where one calls its instances, "module.Class" of a package."""
    found = set()
    for path in (HERE.parent / "adl" / package).glob("[!_]*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                found.add(f"{path.stem}.{node.name}")
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                methods = [child.name for child in node.body if isinstance(child, ast.FunctionDef)]
                found |= {f"{path.stem}.{node.name}.{name}" for name in methods}
                found |= {f"{path.stem}.{node.name}"} if "__call__" in methods else set()
    return {name for name in found if not name.rpartition(".")[2].startswith("_")}


def weights(leaf) -> np.ndarray:
    """Of a fixed combination of all numbers: none alike, none zero."""
    return np.cos(np.arange(np.size(leaf)) / 3 + 0.3).reshape(np.shape(leaf))


def combined(out):
    return sum(
        (leaf * weights(leaf)).sum() for leaf in jax.tree.leaves(out) if jnp.issubdtype(leaf.dtype, jnp.floating)
    )


def evaluated(edge: Edge, rows: list[tuple], dtype) -> tuple[list, list]:
    """Leaves of the values and of the gradients, each with a row an edge, in one program.

    In float32 the value is that of a call alone; what it must equal is found on the way to the gradient.
    """
    is_wanted = dtype == np.float64
    with jax.enable_x64(is_wanted):
        columns = [np.stack([np.asarray(x) for x in column]) for column in zip(*rows, strict=True)]
        columns = [jnp.asarray(x, dtype if x.dtype.kind == "f" else x.dtype) for x in columns]

        def both(*args):
            value = edge.call(*args)
            return combined(value), value

        def one(*args):
            if not edge.slopes:
                return edge.call(*args), ()
            slopes, value = jax.grad(both, edge.slopes, has_aux=True)(*args)
            return value if is_wanted else edge.call(*args), slopes

        values, slopes = jax.device_get(jax.jit(jax.vmap(one))(*columns))
    return jax.tree.leaves(values), list(slopes)


def differences(edge: Edge, row: tuple, argument: int) -> np.ndarray:
    """Of `want`, central, in float64, along each number of one argument."""
    x = np.array(row[argument], np.float64)
    slope = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        step = STEP * max(abs(x[i]), np.finfo(np.float32).tiny) if x[i] else STEP
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[i] += sign * step
            out = edge.want(*row[:argument], moved, *row[argument + 1 :])
            ends.append(combined(jax.tree.map(np.asarray, out)))
        slope[i] = (ends[0] - ends[1]) / (2 * step)
    return slope


@pytest.mark.parametrize("name", EDGES)
def test_right_or_nan_at_every_edge(name):
    edge = EDGES[name]
    # As float32 sees them: the same numbers for both.
    rows = [tuple(single(x) for x in row) for row in edge.inputs.values()]
    with np.errstate(all="ignore"):
        values, slopes = evaluated(edge, rows, np.float32)
        if edge.want is None:
            wanted, slopes_wanted = evaluated(edge, rows, np.float64)
        else:
            doubles = [tuple(x.astype(np.float64) if x.dtype.kind == "f" else x for x in row) for row in rows]
            each = [jax.tree.leaves(jax.tree.map(np.asarray, edge.want(*row))) for row in doubles]
            wanted = [np.stack(leaf) for leaf in zip(*each, strict=True)]
            slopes_wanted = [np.stack([differences(edge, row, i) for row in doubles]) for i in edge.slopes]
    assert len(values) == len(wanted)
    for i, at in enumerate(edge.inputs):
        for value, want in zip(values, wanted, strict=True):
            if at in edge.blank:
                assert np.isnan(value[i]).all(), f"{at}: {value[i]}, where there is no answer"
                continue
            assert at in edge.infinite or np.isfinite(want[i]).all(), f"{at}: want {want[i]}"
            np.testing.assert_allclose(value[i], want[i], rtol=edge.rtol, atol=edge.atol, err_msg=at)
        if at in edge.blank or at in edge.infinite:
            continue
        for argument, slope, want in zip(edge.slopes, slopes, slopes_wanted, strict=True):
            assert np.isfinite(want[i]).all(), f"{at}: want a slope of {want[i]}"
            error, largest = np.abs(slope[i] - want[i]).max(), np.abs(want[i]).max()
            at_most = edge.slope_rtol * largest + edge.atol
            assert error <= at_most, f"{at}: slope in argument {argument} is {slope[i]}, want {want[i]}"


def single(x) -> np.ndarray:
    x = np.asarray(x)
    return x.astype(np.float32) if x.dtype.kind == "f" else x.astype(np.int32) if x.dtype.kind == "i" else x


@pytest.mark.parametrize("package", TABLES)
def test_every_public_function_is_in_the_table(package):
    """Or its name stands among those without an edge, with the reason."""
    table = TABLES[package]
    known = {name.partition(",")[0] for name in table.EDGES}
    without = {name for names in table.NONE.values() for name in names.split()}
    assert not known & without
    assert known | without == public(package), (known | without) ^ public(package)
