"""A person and a trained language model, in the terminal: `python -m experiments chat runs/sequence/assistant`.

Any experiment whose offer takes text and gives text can be talked to. Each line is a prompt of its own: nothing is
remembered. `quit` leaves. What the model cannot read is said in one line, and asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from adl.core import BadInput
from adl.run import screen
from adl.run.offer import Text
from adl.run.use import Which


@dataclass(frozen=True)
class Chatting(Which):
    """A talk with a trained language model, on the screen."""

    key: int = 0  # of its luck in the first answer; each later answer has the next


def chat(asked: Chatting, read: Callable[[str], str] = input) -> None:
    """Answers line by line, until the person leaves.

    Args:
      asked: of which run.
      read: asks for a line; EOFError leaves.
    Raises:
      BadInput: if the run answers no text, or the key is out of range.
    """
    if not 0 <= asked.key < 2**31:
        raise BadInput(f"--key {asked.key}: it must be in 0 ... 2**31 - 1")
    trained = asked.load()
    kinds = {name: (type(offer.takes), type(offer.gives)) for name, offer in trained.offers.items()}
    talks = [name for name, kind in kinds.items() if kind == (Text, Text)]
    if not talks:
        raise BadInput(f"{trained.folder}: {trained.name} answers no text with text")
    if trained.program.num_axes:
        raise BadInput(f"{trained.folder}: it has several runs; --seed N, and of a sweep --setting, say which answers")
    turn = asked.key
    while True:
        try:
            line = read("you: ").strip()
        except EOFError:
            return
        except UnicodeDecodeError:
            print("that is no text; `quit` leaves", flush=True)
            continue
        if line == "quit":
            screen.say("you left")
            return
        try:
            print(f"it: {getattr(trained, talks[0])(line, key=turn)}", flush=True)
            turn += 1
        except BadInput as refusal:
            print(f"{refusal}; `quit` leaves", flush=True)
