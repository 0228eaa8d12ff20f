"""Signals that stop a run after a checkpoint."""

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator
from typing import Any

from adl.run import processes

RESTART = 75  # exit code after SIGTERM and a checkpoint: "try again" (EX_TEMPFAIL), which a launcher does


class Interrupted(BaseException):
    """A signal stopped the run, after a checkpoint.

    Like KeyboardInterrupt no mere Exception: nobody whose work it cuts short shall take it for his own.
    """

    def __init__(self, message: str, exit_code: int, *, alone: bool = False):
        super().__init__(message)
        self.exit_code, self.alone = exit_code, alone  # whether other processes have not stopped as well


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

    @contextlib.contextmanager
    def at_once(self, message: str) -> Iterator[None]:
        """Signals act at once, in this process alone: all that is left is looking and drawing, which can be repeated.

        Args:
          message: of the interruption.
        """

        def stop(number: int, _: Any) -> None:
            for other in self._old:  # one is enough
                signal.signal(other, signal.SIG_IGN)
            raise Interrupted(message, RESTART if number == signal.SIGTERM else 128 + number, alone=True)

        handlers = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            if self.caught is not None:  # since the last step
                stop(self.caught, None)
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _note(self, number: int, _: Any) -> None:
        if self.caught is not None:
            message = "stopped at once; the same command resumes from the last checkpoint"
            raise Interrupted(message, 128 + number, alone=True)
        self.caught = number

    def interruption(self, message: str) -> Interrupted:
        """What to raise where the run stops."""
        return Interrupted(message, RESTART if self.caught == signal.SIGTERM else 128 + self.caught)
