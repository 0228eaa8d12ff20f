"""The roll call: who is missing, came twice or counts otherwise is named, in all processes, in time."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from adl.core import BadInput
from adl.run import rollcall


@pytest.fixture
def address():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return f"localhost:{free.getsockname()[1]}"


def told(address, *who, seconds=1.0):
    """What each of (index, count) is told: nothing where all is well."""

    def one(index, count):
        try:
            rollcall.answer(address, count, index, seconds=seconds)
        except BadInput as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(who)) as pool:
        return list(pool.map(lambda pair: one(*pair), who))


def test_all_are_there_and_the_address_is_free_again(address):
    for _ in range(3):
        assert told(address, (0, 3), (1, 3), (2, 3), seconds=10) == ["", "", ""]


def test_process_0_may_come_last(address):
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(told, address, (1, 2), seconds=10)
        time.sleep(0.5)
        assert told(address, (0, 2), seconds=10) == [""] and other.result() == [""]


def test_who_does_not_come_is_named_by_all(address):
    lines = told(address, (0, 4), (2, 4))
    assert lines == [f"process 1, 3 of 4 did not come to {address} within 1 s; see its own log"] * 2


def test_nobody_at_the_address(address):
    (line,) = told(address, (1, 2))
    assert f"process 0 does not answer at {address} within 1 s (Connection refused)" in line
    (line,) = told("nowhere.invalid:1234", (1, 2))
    assert "process 0 does not answer at nowhere.invalid:1234 within 1 s" in line


@pytest.mark.parametrize("who", [[(0, 3), (1, 3), (1, 3)], [(0, 3), (0, 3), (1, 3)]])
def test_two_with_one_number(address, who):
    lines = told(address, *who)
    wanted = (
        "two processes have the number 1 (JAX_PROCESS_ID)",
        "process 0 cannot listen at",
        "process 2 of 3 did not",
    )
    assert all(any(want in line for want in wanted) for line in lines), lines


def test_other_counts(address):
    lines = told(address, (0, 3), (1, 2))
    assert lines == ["process 1 counts 2 processes, process 0 3 (JAX_NUM_PROCESSES)"] * 2


def test_something_else_at_the_address():
    """A server that greets, and says no word of processes."""
    with socket.create_server(("localhost", 0)) as server, ThreadPoolExecutor(1) as pool:

        def greet():
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"220 mail ready\n")
                    if connection.recv(100) == b"stop":
                        return

        pool.submit(greet)
        address = f"localhost:{server.getsockname()[1]}"
        (line,) = told(address, (1, 2))
        with socket.create_connection(("localhost", server.getsockname()[1])) as connection:
            connection.sendall(b"stop")
    assert "something else answers" in line


def test_a_stranger_is_not_counted(address):
    host, _, port = address.rpartition(":")
    with ThreadPoolExecutor(1) as pool:
        both = pool.submit(told, address, (0, 2), seconds=10)
        time.sleep(0.3)
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.recv(10)
        assert told(address, (1, 2), seconds=10) == [""] and both.result() == [""]


def test_a_process_that_was_started_again_is_one(address):
    host, _, port = address.rpartition(":")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(told, address, (0, 3), seconds=10)
        time.sleep(0.3)
        with socket.create_connection((host, int(port))) as killed:
            killed.sendall(b"adl-process 1 3\n")
            time.sleep(0.3)
        assert told(address, (1, 3), (2, 3), seconds=10) == ["", ""] and first.result() == [""]
