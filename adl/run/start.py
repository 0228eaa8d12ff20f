"""How a run begins with weights that are there: `--init_from` an exported file, a run's folder, or a checkpoint of it.

Of learners the parameters, what they carry besides (batch statistics) and the average of the parameters are taken; the
optimizer begins anew. Of a teacher it is what it follows with. A state without learners, such as moments or a mixture,
is taken as a whole. Tensors go by name, `params/Dense_0/kernel`; of two networks `gen/params/...`.

What is not in the source begins as it would without; what the source has and the run has not is not used; both are
said, and kept in `init.json` with the source's digest. A resumed run has its checkpoint and reads no weights again.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from adl.core import BadInput, PyTree, did_you_mean, tree
from adl.run import folder, kept, processes, screen, seal
from adl.run.config import Study
from adl.run.program import Program
from adl.run.weights import Stock, digest, exported, stock_of, tensors

INIT = "init.json"


class Begun(NamedTuple):
    """What became of a source."""

    used: dict[str, str]  # name in the run -> name in the source
    unused: list[str]  # in the source
    anew: list[str]  # in the run


def parted(words: Sequence[str]) -> list[tuple[str, str | None]]:
    """(part of the source, part of the run) of each word of `--init_prefix`: None where it is to be left out.

    Raises:
      BadInput: for a word that says neither.
    """
    found = []
    for word in words:
        theirs, equals, ours = word.partition("=")
        theirs, ours = theirs.strip("/"), ours.strip("/")
        if not theirs or "=" in ours:
            raise BadInput(f"--init_prefix {word}: it must be PART, THEIRS=OURS, or PART= to leave it out")
        found.append((theirs, (ours or None) if equals else theirs))
    return found


def _renamed(source: Stock, config: Study) -> dict[str, str]:
    """Name in the run -> name in the source, of all that is asked for."""
    wanted = parted(config.init_prefix)
    names = {name: name for name in source.tensors}
    there = sorted({"/".join(name.split("/")[:i]) for name in names for i in range(1, name.count("/") + 2)})
    for theirs, _ in wanted:
        if theirs not in there:
            tops = ", ".join(part for part in there if part.count("/") <= 1)
            raise BadInput(
                f"--init_prefix {theirs}: {source.path} has no such part; it has {tops}{did_you_mean(theirs, there)}"
            )
    takes = [(theirs, ours) for theirs, ours in wanted if ours is not None]
    found: dict[str, str] = {}
    for name in names:
        # Without a parameter there is no average of it either.
        if any(_is_part(one, theirs) for one in (name, _followed(name)) for theirs, ours in wanted if ours is None):
            continue
        to = [ours + name[len(theirs) :] for theirs, ours in takes if _is_part(name, theirs)] if takes else [name]
        for one in to:
            if one in found:
                raise BadInput(f"--init_prefix: {one} would come of both {found[one]} and {name}")
            found[one] = name
    return found


def _is_part(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}/")


def matched(source: Stock, state: PyTree, config: Study, num_axes: int) -> Begun:
    """What of a source a state takes.

    Args:
      source: of the weights.
      state: of the run, or its shapes, before the first step.
      config: whose `init_prefix` says which parts.
      num_axes: leading axes of the state, of several runs.
    Raises:
      BadInput: if a shape or a type does not fit, a number is not finite, or nothing fits.
    """
    ours, asked = tensors(state), _renamed(source, config)
    used = {name: asked[name] for name in ours if name in asked}
    if source.num_axes not in (0, num_axes):
        raise BadInput(
            f"--init_from {source.path}: it has several runs, and this is {'one' if not num_axes else 'not as many'}; "
            "export one of them: python -m experiments export WORKDIR --seed N"
        )
    for name, theirs in used.items():
        value, like = source.tensors[theirs], ours[name]
        wanted = like.shape if source.num_axes else like.shape[num_axes:]
        if value.shape != wanted:
            raise BadInput(
                f"--init_from {source.path}: {theirs} is {list(value.shape)} there and {list(wanted)} here; "
                f"--init_prefix {theirs.rpartition('/')[0] or theirs}= leaves it out"
            )
        if not np.can_cast(value.dtype, like.dtype, "same_kind") and value.dtype.name != "bfloat16":
            raise BadInput(f"--init_from {source.path}: {theirs} is {value.dtype} there and {like.dtype} here")
        if value.dtype.kind not in "iub" and not np.isfinite(value.astype(np.float32)).all():
            raise BadInput(f"--init_from {source.path}: {theirs} has values that are not finite")
    for name in ours:  # a new average begins where the parameters do
        if name not in used and (params := _followed(name)) in used:
            used[name] = used[params]
    if not used:
        some = ", ".join([*source.tensors][:3])
        raise BadInput(
            f"--init_from {source.path}: nothing of it fits: it has {some} ..., this run {', '.join([*ours][:3])} ...; "
            "--init_prefix THEIRS=OURS says which part is which"
        )
    unused = sorted(set(source.tensors) - set(used.values()))
    return Begun(used, unused, sorted(name for name in ours if name not in used))


def _followed(name: str) -> str:
    """The parameter of which a tensor is the average."""
    return re.sub(r"(^|/)averaged/", r"\1params/", name, count=1)


def first_state(home: Path, program: Program, state: PyTree) -> PyTree:
    """The first state with what it takes of the source, placed as it was; `init.json` says what that is.

    Args:
      home: folder of the run, open.
      program: of the run.
      state: of `init`.
    """
    source, num_axes = program.source or stock_of(program.config.init_from), program.num_axes
    found = matched(source, state, program.config, num_axes)
    leaves = {tree.name(path) for path, _ in jax.tree.leaves_with_path(state)}
    names = exported(sorted(leaves))

    def one(path, leaf):
        name = names.get(tree.name(path))
        if name not in found.used:
            return leaf
        value = source.tensors[found.used[name]]
        value = value if source.num_axes else np.broadcast_to(value, (*leaf.shape[:num_axes], *value.shape))
        return jax.make_array_from_callback(leaf.shape, leaf.sharding, lambda at: np.array(value[at], leaf.dtype))

    if processes.index() == 0:
        keep(home, source, found)
    program.source = None  # it may be large
    return jax.tree.map_with_path(one, state)


def told_of(source: Stock, found: Begun) -> list[str]:
    """Lines that say what was used, what was not, and what begins anew."""
    size = len(set(found.used.values()))
    lines = [f"begins with {size} of {len(source.tensors)} tensors of {source.path}"]
    for what, names in (("not used", found.unused), ("begins anew", found.anew)):
        shown = names[:8] + ([f"and {len(names) - 8} more"] if len(names) > 8 else [])
        lines += [f"  {what}: {', '.join(shown)}"] if names else []
    return lines


def foreseen(program: Program, home: Path) -> Begun | None:
    """What a run will begin with, found before anything is written; None where it begins as it is, or goes on.

    Args:
      program: whose configuration says; it gains the source.
      home: folder of the run.
    Raises:
      BadInput: as `stock_of` and `matched`; or if the run in the folder began with something else.
    """
    config = program.config
    if not config.init_from:
        return None
    if seal.complete(home / kept.CHECKPOINTS):
        require_same(home, config)
        return None
    program.source = stock_of(config.init_from)
    state = program.algorithm().init.eval_shape(jax.eval_shape(program.keys)[0], program.batch(0))
    return matched(program.source, state, config, program.num_axes)


def keep(home: Path, source: Stock, found: Begun) -> None:
    """Writes `init.json`, and says what it says."""
    screen.say(*told_of(source, found))
    written = {"init_from": source.path, "file": str(source.file), "sha256": source.digest, **found._asdict()}
    folder.write(home / INIT, json.dumps(written, indent=1) + "\n")


def require_same(home: Path, config: Study) -> None:
    """Refuses a source that is not what the run of a folder began with, where it is still there.

    Raises:
      BadInput: naming it.
    """
    saved = folder.read_object(home / INIT, f"--workdir {home}: ", "choose another --workdir")
    file = Path(str((saved or {}).get("file", "")))
    if file.is_file() and digest(file) != saved.get("sha256"):
        raise BadInput(
            f"--init_from {config.init_from}: {file} is not what the run in {home} began with; put that back, or "
            "choose another --workdir"
        )
