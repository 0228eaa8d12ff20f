"""One file a benchmark: `contenders()` prepares the same work for each, and checks that their results agree."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Protocol

import jax

from adl.core import Algorithm
from adl.run.machine import prepare

# name -> a function that runs the contender once and says its milliseconds a unit; the first is the reference
Contenders = dict[str, Callable[[], float]]
Run = Callable[[], tuple[float, float]]  # milliseconds a step of training, and the mean loss of the steps


class Training(Protocol):
    """Steps of training that are timed at once."""

    num_steps: int

    @property
    def batches(self) -> Any:
        """`[steps, B, ...]`."""

    @property
    def algorithm(self) -> Algorithm:
        """All steps as one."""


def ours(work: Training) -> Run:
    """The contender adl."""
    algorithm, key, batches = work.algorithm, jax.random.key(0), jax.device_put(work.batches)
    state = [algorithm.init(key, batches)]

    def run():
        started = time.perf_counter()
        state[0], metrics = algorithm.step(key, state[0], batches)
        jax.block_until_ready((state[0], metrics))
        return 1e3 * (time.perf_counter() - started) / work.num_steps, float(metrics["loss"].value)

    return run


def apart(make: Callable[..., Callable[[], Any]], *args: Any) -> Callable[[], Any]:
    """What `make(*args)` returns, called in a process of its own.

    For contenders that share badly: in one process with PyTorch a step of `language_large` took 12 to 13 s, in its own
    11 s. The others' processes wait meanwhile.

    Args:
      make: a function of a module, `make(*args) -> run`; what `run()` returns must be picklable.
      *args: picklable.
    """
    process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _start, (make, args))
    return lambda: process.submit(_again).result()


def _start(make: Callable[..., Callable[[], Any]], args: tuple[Any, ...]) -> None:
    global _contender
    prepare()
    _contender = make(*args)


def _again() -> Any:
    return _contender()
