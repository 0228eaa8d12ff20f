"""A run's folder: whose it is, who holds it, and files that are written whole or not at all.

Nothing in it is changed before it is known to be this very run's.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import jax

from adl.core import BadInput, local_path
from adl.core.sources import Noted
from adl.run import processes
from adl.run.config import Study, default_workdir, differences

CONFIG, ENVIRONMENT, DATA = "config.json", "environment.json", "data.json"
FOUND_WITHIN = 10  # seconds, in which a shared file system shows to one machine what another one wrote
# What a kill before the first `config.json` leaves.
LEFTOVERS = re.compile(r"lock|data\.json|(config|environment|data)\.tmp|start-\w+\.tmp")


def chosen(config: Study, name: str) -> Path:
    """The folder that a configuration asks for.

    Raises:
      BadInput: if it can be no folder of this machine.
    """
    return local_path(config.workdir, "--workdir") if config.workdir else default_workdir(config, name)


def open_folder(folder: Path, config: Study, name: str, read: Sequence[Noted] = ()) -> TextIO:
    """The folder of this very run, locked; with `config.json`, which in an old one is as it was.

    Args:
      folder: of the run.
      config: its configuration.
      name: of the experiment.
      read: the data sets that it has read.
    Raises:
      BadInput: if it cannot be written, is in use, or holds something else.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _require_ours(folder, config, name, read)  # before the lock is made: a refusal leaves no trace
            held = stack.enter_context(lock(folder))
            if not _require_ours(folder, config, name, read):
                describe(folder, config, name, read)
        except OSError as error:
            reason = error.strerror or error
            raise BadInput(f"--workdir {folder}: {reason}; choose a folder that can be written") from None
        stack.pop_all()
    return held


def share(folder: Path, opened: Callable[[], Any]) -> None:
    """Has process 0 open the folder, and all others find what it put there.

    Raises:
      BadInput: as `opened` does, or where a process sees another folder.
    """

    def begin() -> str:
        opened()
        for stale in folder.glob("start-*.tmp"):
            stale.unlink()
        word = secrets.token_hex(8)
        if processes.count() > 1:
            (folder / f"start-{word}.tmp").touch()
        return word

    mark = folder / f"start-{processes.from_first('folder', begin)}.tmp"
    late = time.monotonic() + FOUND_WITHIN
    while processes.index() and not mark.exists():
        if time.monotonic() > late:
            who = f"process {processes.index()} of {processes.count()}"
            raise BadInput(f"--workdir {folder}: {who} sees another one; all processes need one shared folder")
        time.sleep(0.2)
    processes.barrier("start")
    if not processes.index():
        mark.unlink(missing_ok=True)


def describe(folder: Path, config: Study, name: str, read: Sequence[Noted] = ()) -> None:
    """Writes `config.json`: what runs in the folder now; and beside it `data.json`: what it has read."""
    if read:
        write(folder / DATA, json.dumps({one.name: _counted(one) for one in read}) + "\n")
    written = {"experiment": name, **dataclasses.asdict(config)}
    write(folder / CONFIG, json.dumps(written, indent=1) + "\n")


def lock(folder: Path) -> TextIO:
    """Exclusive hold on a run's folder, until it is closed or the process ends.

    Raises:
      BadInput: if another process holds it.
    """
    handle = os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise BadInput(f"--workdir {folder}: another process is running there; choose another --workdir") from None
    return handle


def write(path: Path, content: str | Callable[[BinaryIO], Any]) -> None:
    """Writes a file whole or not at all, in place of what is there; where a link stands, its target stays as it is.

    Args:
      path: of the file.
      content: its text, or what writes its bytes.
    Raises:
      OSError: if it cannot be written.
    """
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with temporary.open("xb") as file:
        if isinstance(content, str):
            file.write(content.encode())
        else:
            content(file)
        file.flush()
        with contextlib.suppress(io.UnsupportedOperation):
            os.fsync(file.fileno())
    os.replace(temporary, path)


def _counted(read: Noted) -> dict[str, Any]:
    """A data set as it must be found again."""
    files = json.loads(json.dumps(read.files))
    return {"count": len(files), "digest": hashlib.sha256(json.dumps(files).encode()).hexdigest(), "files": files}


def data_digests(read: Sequence[Noted]) -> dict[str, str]:
    """What has been read, by name: of each data set the digest of its files."""
    return {one.name: _counted(one)["digest"] for one in read}


def require_data(folder: Path, read: Sequence[Noted], flag: str = "--workdir ") -> None:
    """Refuses data that are no longer those that the run in a folder read.

    Args:
      folder: of the run.
      read: the data sets that are read now.
      flag: by which a person gave the folder.
    Raises:
      BadInput: naming the first file that is not as it was.
    """
    remedy = f"choose another {flag.strip() or 'run'}"
    saved = read_object(folder / DATA, f"{flag}{folder}: ", remedy) or {}
    for one in read:
        before, now = saved.get(one.name), _counted(one)
        if not isinstance(before, dict) or before.get("digest") == now["digest"]:
            continue
        old, new = (found.get("files") or {} for found in (before, now))
        kinds = {
            "new": sorted({*new} - {*old}),
            "gone": sorted({*old} - {*new}),
            "changed": sorted(name for name in {*old} & {*new} if old[name] != new[name]),
        }
        told = ", ".join(f"{len(names)} {kind}" for kind, names in kinds.items() if names) or "another order"
        first = next((names[0] for names in kinds.values() if names), "")
        raise BadInput(
            f"{flag}{folder}: {one.name} is not as the run in it read it ({told} of {len(old)}; the first is "
            f"{first}); put it back as it was, or {remedy}"
        )


def _require_ours(folder: Path, config: Study, name: str, read: Sequence[Noted]) -> bool:
    """Refuses a folder that holds something else than this run; whether it holds this run."""
    saved = _saved(folder)
    if saved is None:
        if any(not LEFTOVERS.fullmatch(path.name) for path in folder.iterdir()):
            raise BadInput(f"--workdir {folder}: it holds files but no run; choose an empty or a new folder")
        return False
    if saved.pop("experiment") != name:
        raise BadInput(f"--workdir {folder}: it holds a run of another experiment; choose another --workdir")
    changed = differences(config, saved)
    if [*changed] == ["num_steps"]:
        raise BadInput(
            f"--num_steps {config.num_steps}: {folder} holds a run of {saved['num_steps']} steps, and what is computed "
            f"depends on that number, as schedules do; repeat --num_steps {saved['num_steps']} or choose another "
            f"--workdir; there --init_from {folder} begins with what this run has learned"
        )
    if changed:
        told = "; ".join(f"{field}: {old} -> {new}" for field, (old, new) in changed.items())
        raise BadInput(
            f"--workdir {folder}: it holds a run with another configuration ({told}); "
            "repeat that one or choose another --workdir"
        )
    _require_devices(folder, config)
    require_data(folder, read)
    return True


def _saved(folder: Path) -> dict[str, Any] | None:
    """What `config.json` says; None where there is none."""
    found = read_object(folder / CONFIG, f"--workdir {folder}: ", "choose another --workdir")
    if found is not None and "experiment" not in found:
        raise BadInput(f"--workdir {folder}: its {CONFIG} is that of no run; choose another --workdir")
    return found


def read_object(path: Path, where: str, remedy: str) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no file.

    Raises:
      BadInput: if it holds something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise BadInput(f"{where}{path.name} is damaged; put it back as it was, or {remedy}") from None
    if not isinstance(found, dict):
        raise BadInput(f"{where}{path.name} is damaged; put it back as it was, or {remedy}")
    return found


def _require_devices(folder: Path, config: Study) -> None:
    """Refuses another number of devices under pmap, where each draws its own noise."""
    if getattr(config, "lift", "") != "pmap":
        return
    before = len(
        (read_object(folder / ENVIRONMENT, f"--workdir {folder}: ", "choose another") or {}).get("devices", ())
    )
    if before and before != len(jax.devices()):
        raise BadInput(
            f"--workdir {folder}: it holds a run on {before} devices under --lift pmap, where each draws its own "
            f"noise; here are {len(jax.devices())}: use as many or choose another --workdir"
        )
