"""Signals that stop a run after a checkpoint."""

import itertools
import os
import signal
from typing import Any

from adl.run import processes

RESTART = 75  # exit code after SIGTERM and a checkpoint: "try again" (EX_TEMPFAIL), which a launcher does


class Interrupted(Exception):
    """A signal stopped the run, after a checkpoint."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


class Signals:
    """SIGTERM and Ctrl-C, noted for the loop to finish its step; a second one acts at once.

    Of many processes any may be told to stop: JAX takes its SIGTERM, and has all of them stop at the same step.
    """

    def __enter__(self) -> "Signals":
        self.caught: int | None = None
        self._asked = itertools.count()
        handlers = {signal.SIGTERM: self._note, signal.SIGINT: self._note}
        if processes.count() > 1:
            handlers = {signal.SIGINT: lambda *_: os.kill(os.getpid(), signal.SIGTERM)}
        self._old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def reached(self) -> bool:
        """Whether to stop here; every process asks before each step."""
        if processes.count() > 1 and processes.preempted(next(self._asked)):
            self.caught = signal.SIGTERM
        return self.caught is not None

    def _note(self, number: int, _: Any) -> None:
        if self.caught is not None:
            raise Interrupted("stopped at once; the same command resumes from the last checkpoint", 128 + number)
        self.caught = number

    def interruption(self, message: str) -> Interrupted:
        """What to raise where the run stops."""
        return Interrupted(message, RESTART if self.caught == signal.SIGTERM else 128 + self.caught)
