"""Many processes as one run: they find each other, wait for each other, and stop together.

All of it is `jax.distributed`'s: its cluster detection, its coordination service, its preemption protocol.
"""

import atexit
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax
from jax._src import xla_bridge
from jax._src.distributed import global_state  # multihost_utils has no barrier with a time limit, nor a word to share
from jax.experimental import multihost_utils

from adl.core import BadInput
from adl.run import rollcall

ADDRESS, COUNT, INDEX = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
HEARTBEAT = 30  # seconds of silence after which a process counts as lost, and the others end
FAILED = "adl/failed"  # where the first process that cannot go on says so
PATIENCE = 300  # seconds that processes wait for each other where one may still be compiling or copying


def connect() -> None:
    """Joins the other processes of this run, if there are any; before anything asks JAX for a device.

    A Cloud TPU slice, SLURM, Open MPI and Kubernetes are found by JAX itself. Elsewhere three variables say where the
    others are: JAX_COORDINATOR_ADDRESS (host:port of process 0), JAX_NUM_PROCESSES and JAX_PROCESS_ID.

    Raises:
      BadInput: if some of the variables are missing or wrong, or some of the processes.
    """
    # Asked for by name, or else only if JAX can still be told where it runs.
    is_asked = bool(os.environ.get(COUNT) or os.environ.get(INDEX))
    if jax.distributed.is_initialized() or (xla_bridge.backends_are_initialized() and not is_asked):
        return
    limits = {
        "heartbeat_timeout_seconds": HEARTBEAT,
        "shutdown_timeout_seconds": HEARTBEAT,
        "initialization_timeout": PATIENCE,
    }
    if is_asked:
        address, count, index = _variables()
        if count == 1:
            return
        print(f"process {index} of {count} waits for the others at {address}", file=sys.stderr, flush=True)
        rollcall.answer(address, count, index)
        jax.distributed.initialize(address, count, index, cluster_detection_method="deactivate", **limits)
        _watch()
        return
    try:
        jax.distributed.initialize(**limits)
        _watch()
    except ValueError as error:
        if os.environ.get(ADDRESS):
            raise BadInput(f"{COUNT}, {INDEX} not set: {ADDRESS} alone does not say how many processes run") from error
        if "coordinator_address" not in str(error):
            raise
        # No cluster: this process is all there is.


def count() -> int:
    """Processes in this run."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def index() -> int:
    """Number of this process, from 0."""
    return jax.process_index() if count() > 1 else 0


def leave(message: str, code: int) -> NoReturn:
    """Ends this process, and with it all others, each with the message on a line and the exit code.

    They may be anywhere, also in a computation that waits for this process.
    """
    print(message, file=sys.stderr, flush=True)
    if count() == 1:
        sys.exit(code)
    global_state.client.key_value_set(FAILED, json.dumps([index(), code, message]), allow_overwrite=True)
    _end(code)


def _watch() -> None:
    """Has a thread wait for the word of a process that cannot go on."""
    ended = threading.Event()

    def watch():
        while not ended.wait(1):
            try:
                word = global_state.client.key_value_try_get(FAILED)
            except jax.errors.JaxRuntimeError:  # nobody said anything
                continue
            other, code, message = json.loads(word)
            if other != global_state.process_id:
                kind, _, rest = message.partition(": ")
                told = f"error: process {other}: {rest}" if kind == "error" else f"process {other}: {message}"
                print(told, file=sys.stderr, flush=True)
                _end(code)

    def end():
        ended.set()
        thread.join()

    if global_state.num_processes > 1:
        thread = threading.Thread(target=watch, name="watch", daemon=True)
        thread.start()
        atexit.register(end)  # it runs before JAX's own, which closes the service that is asked here


def _end(code: int) -> NoReturn:
    """Ends this process at once: JAX would wait for the others, who may wait for it."""
    if global_state.process_id == 0:
        time.sleep(3)  # it holds the service by which the others hear of it
    os._exit(code)


def agree(name: str, value: Mapping[str, Any]) -> None:
    """Returns if all processes have the same value.

    Args:
      name: of this exchange, used once in a run.
      value: as JSON has it.
    Raises:
      BadInput: naming what differs from process 0's.
    """
    mine = json.loads(json.dumps(value))
    first = json.loads(from_first(name, lambda: json.dumps(value)))
    if different := [key for key in sorted({*first, *mine}) if first.get(key) != mine.get(key)]:
        told = "; ".join(f"{key}: {mine.get(key)}, in process 0 {first.get(key)}" for key in different)
        raise BadInput(f"process {index()} has another {name} than process 0 ({told}); give all the same")
    barrier(name)  # whom another one is unlike does not go on either


def from_first(name: str, action: Callable[[], str], *, seconds: float = PATIENCE) -> str:
    """What `action()` returns in process 0, for all; only there is it called.

    Args:
      name: of this exchange, used once in a run.
      action: returns a word; `BadInput` that it raises is raised by all.
      seconds: that the others wait, > 0.
    Raises:
      BadInput: as `action` does, or if process 0 does not answer in time.
    """
    if count() == 1:
        return action()
    client = global_state.client
    if index() == 0:
        try:
            word = action()
        except BadInput as error:
            client.key_value_set(f"adl/{name}", f"bad {error}")
            raise
        client.key_value_set(f"adl/{name}", f"good {word}")
        return word
    try:
        kind, _, word = client.blocking_key_value_get(f"adl/{name}", int(1000 * seconds)).partition(" ")
    except jax.errors.JaxRuntimeError as error:
        raise BadInput(f"process 0 did not answer within {seconds:g} s ({name})") from error
    if kind == "bad":
        raise BadInput(word)
    return word


def barrier(name: str, *, seconds: float = PATIENCE) -> None:
    """Returns when every process has come here.

    Args:
      name: of this meeting, used once in a run.
      seconds: to wait for the last, > 0.
    Raises:
      BadInput: naming the processes that did not come in time.
    """
    if count() == 1:
        return
    try:
        global_state.client.wait_at_barrier(f"adl/{name}", int(1000 * seconds))
    except jax.errors.JaxRuntimeError as error:
        listed = re.search(r"timed out task names:\n((?:\d+\n)+)", str(error) + "\n")
        missing = f"process {', '.join(listed[1].split())} of {count()}" if listed else "some process"
        raise BadInput(f"{missing} did not come to {name!r} within {seconds:g} s; see its own log") from error


def preempted(call: int) -> bool:
    """Whether all processes are to save and stop now, since one was told to.

    Args:
      call: 0, 1, 2, ...: how often this was asked before, the same number in every process.
    """
    return multihost_utils.reached_preemption_sync_point(call)


def _variables() -> tuple[str, int, int]:
    """Address, count and index of the environment, checked."""
    missing = [name for name in (ADDRESS, COUNT, INDEX) if not os.environ.get(name)]
    if missing:
        raise BadInput(f"{', '.join(missing)} not set: several processes need {ADDRESS}, {COUNT} and {INDEX}")
    address, words = os.environ[ADDRESS], [os.environ[COUNT], os.environ[INDEX]]
    if not re.fullmatch(r".+:[0-9]{1,5}", address) or not 0 < int(address.rpartition(":")[2]) < 2**16:
        raise BadInput(f"{ADDRESS}={address}: it must be host:port, with a port from 1 to 65535")
    if not all(re.fullmatch("[0-9]{1,9}", word) for word in words) or not int(words[1]) < int(words[0]):
        raise BadInput(f"{COUNT}={words[0]}, {INDEX}={words[1]}: they must be numbers, 0 <= {INDEX} < {COUNT}")
    return address, int(words[0]), int(words[1])
