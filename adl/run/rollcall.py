"""A roll call before processes join: who is missing, came twice or counts otherwise is named, in one line, in all.

JAX's coordination service ends a process that waits in vain, or comes twice, after minutes and with pages of C++. So
process 0 first listens at the very address that the service will have; each other says its number and the count, and
hears that all are there, or what is wrong.
"""

import contextlib
import socket
import time
from collections.abc import Iterator

from adl.core import BadInput

PATIENCE = 45  # seconds in which all must come
HELLO = "adl-process"


def answer(address: str, count: int, index: int, *, seconds: float = PATIENCE) -> None:
    """Returns when all processes have said that they are there, and process 0 no longer listens.

    Args:
      address: host:port of process 0.
      count: of processes, > 1.
      index: of this one.
      seconds: to wait for the others, > 0.
    Raises:
      BadInput: in all of them, if one did not come, two are the same, or they differ about the count.
    """
    host, _, port = address.rpartition(":")
    if index == 0:
        _call(address, int(port), count, seconds)
    else:
        _say(address, (host.strip("[]"), int(port)), count, index, seconds)


def _call(address: str, port: int, count: int, seconds: float) -> None:
    """Process 0: hears the others, and tells all of them the same."""
    present: dict[int, socket.socket] = {}
    strangers: list[socket.socket] = []  # whom the error is about
    with contextlib.ExitStack() as stack:
        wrong = ""
        for connection, words in _heard(address, port, seconds, stack):
            their_index, their_count = words
            if their_count != count:
                wrong = f"process {their_index} counts {their_count} processes, process 0 {count} (JAX_NUM_PROCESSES)"
            elif not _is_gone(present.get(their_index)) or not 0 < their_index < count:
                wrong = f"two processes have the number {their_index} (JAX_PROCESS_ID) at {address}"
            if wrong:
                strangers.append(connection)
                break
            present[their_index] = connection
            present = {number: one for number, one in present.items() if not _is_gone(one)}
            if len(present) == count - 1:
                break
        else:
            missing = ", ".join(str(i) for i in range(1, count) if i not in present)
            wrong = f"process {missing} of {count} did not come to {address} within {seconds:g} s; see its own log"
        for connection in (*present.values(), *strangers):
            with contextlib.suppress(OSError):
                connection.sendall(f"{wrong or 'go'}\n".encode())
                connection.recv(1)  # until it hangs up: then no connection of ours lingers at the address
    if wrong:
        raise BadInput(wrong)


def _is_gone(connection: socket.socket | None) -> bool:
    """Whether nobody is there: a process that was started again has left its first connection."""
    if connection is None:
        return True
    connection.setblocking(False)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(5)


def _heard(
    address: str, port: int, seconds: float, stack: contextlib.ExitStack
) -> Iterator[tuple[socket.socket, tuple[int, int]]]:
    """Who says a number and a count at a port of this machine, until the time is over; who says else is not heard."""
    late = time.monotonic() + seconds
    six = socket.has_dualstack_ipv6()
    try:
        family = socket.AF_INET6 if six else socket.AF_INET
        listener = stack.enter_context(
            socket.create_server(("", port), family=family, dualstack_ipv6=six, backlog=1024)
        )
    except OSError as error:
        raise BadInput(
            f"process 0 cannot listen at {address}: {error.strerror}; choose another port in JAX_COORDINATOR_ADDRESS, "
            "or end what has it"
        ) from None
    stack.enter_context(listener)
    while (left := late - time.monotonic()) > 0:
        listener.settimeout(left)
        with contextlib.suppress(OSError, ValueError):
            connection = stack.enter_context(listener.accept()[0])
            connection.settimeout(5)
            hello, *numbers = _line(connection).split()
            if hello == HELLO and len(numbers) == 2:
                yield connection, (int(numbers[0]), int(numbers[1]))
            else:
                connection.close()


def _say(address: str, place: tuple[str, int], count: int, index: int, seconds: float) -> None:
    """Any other process: says who it is as soon as somebody listens, and hears what process 0 thinks of all."""
    late, reason = time.monotonic() + seconds, ""
    while time.monotonic() < late:
        try:
            with socket.create_connection(place, timeout=5) as connection:
                connection.sendall(f"{HELLO} {index} {count}\n".encode())
                connection.settimeout(seconds + 5)  # since process 0 may have come just now
                word = _line(connection)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", "") or str(error)
            time.sleep(0.2)
            continue
        if word == "go":
            return
        if word.isprintable() and "process" in word:
            raise BadInput(word)
        reason = "something else answers, or this run has begun without this process"
        time.sleep(0.2)
    raise BadInput(
        f"process 0 does not answer at {address} within {seconds:g} s ({reason}); is it running, and is this its "
        "address (JAX_COORDINATOR_ADDRESS)?"
    )


def _line(connection: socket.socket) -> str:
    """The first line of what somebody says, cut off at 1,000 bytes."""
    said = b""
    while b"\n" not in said and len(said) < 1000 and (more := connection.recv(1000)):
        said += more
    return said.partition(b"\n")[0].decode(errors="replace")
