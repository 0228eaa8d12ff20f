"""One file a benchmark: `contenders()` prepares the same work for each, and checks that their results agree."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from adl.run.launch import prepare

# name -> a function that runs the contender once and says its milliseconds a unit; the first is the reference
Contenders = dict[str, Callable[[], float]]


def apart(make: Callable[..., Callable[[], Any]], *args: Any) -> Callable[[], Any]:
    """What `make(*args)` returns, called in a process of its own.

    For contenders that fill the memory: beside the heap and threads of another library a step of 5 GB took a tenth
    longer. The others' processes wait meanwhile. `make` is a function of a module.
    """
    process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _start, (make, args))
    return lambda: process.submit(_again).result()


def _start(make: Callable[..., Callable[[], Any]], args: tuple[Any, ...]) -> None:
    global _contender
    prepare()
    _contender = make(*args)


def _again() -> Any:
    return _contender()
