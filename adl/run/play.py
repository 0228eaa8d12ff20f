"""A person against a trained player, in the terminal: `python -m experiments play runs/rl/alphazero`.

An experiment that can be played against offers an `Opponent`. A move is a word of the game's, as its board shows them;
`moves` lists them, `quit` leaves. What is no move is said in one line, and asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from adl.core import BadInput, Key, PyTree, did_you_mean
from adl.run import screen
from adl.run.trained import Trained
from adl.run.use import Which


class Opponent(NamedTuple):
    """Who may be played against."""

    game: Any  # init, play, legal, ended, outcome, text and words, as `rl.environment.game.Game` has them
    reply: Callable[[Key, PyTree, PyTree], Any]  # (key, state of the run, state of the game) -> an action


@dataclass(frozen=True)
class Playing(Which):
    """A game against a trained player, on the screen."""

    side: Literal["first", "second"] = "first"  # which you play
    key: int = 0  # of the player's luck


def play_person(asked: Playing, read: Callable[[str], str] = input) -> None:
    """One game, to its end or until the person leaves.

    Args:
      asked: of which run.
      read: asks for a line; EOFError leaves.
    Raises:
      BadInput: if the run offers no opponent, or the key is out of range.
    """
    if not 0 <= asked.key < 2**63:
        raise BadInput(f"--key {asked.key}: it must be in 0 ... 2**63 - 1")
    trained = asked.load()
    found = [offer for offer in trained.experiment.offers.values() if isinstance(offer, Opponent)]
    if not found:
        raise BadInput(f"{trained.folder}: {trained.name} offers nobody to play against")
    if trained.program.num_axes:
        raise BadInput(f"{trained.folder}: it has several runs; --seed N, and of a sweep --setting, say which plays")
    game, play, reply = found[0].game, *_compiled(trained, found[0])
    state, persons = game.init(), asked.side == "first"
    key = jax.random.key(asked.key)
    while not bool(game.ended(state)):
        words = game.words(state)
        if persons:
            print(game.text(state), flush=True)
            action = _move(words, np.asarray(game.legal(state)), read)
            if action is None:
                screen.say("you left the game")
                return
        else:
            key, now = jax.random.split(key)
            action = int(reply(now, trained.state, state))
            print(f"it plays {words[action]}", flush=True)
        state, persons = play(state, action), not persons
    outcome = float(game.outcome(state)) * (1 if persons else -1)
    print(game.text(state))
    print("you win" if outcome > 0 else "it wins" if outcome < 0 else "a draw")


def _compiled(trained: Trained, opponent: Opponent) -> tuple[Callable, Callable]:
    """Moves and replies, each compiled once."""
    return trained.program.compiled(opponent.game.play), trained.program.compiled(opponent.reply)


def _move(words: list[str], legal: np.ndarray, read: Callable[[str], str]) -> int | None:
    """The action that a person names, in small letters or capitals; None if they leave."""
    allowed = [words[action] for action in np.flatnonzero(legal)]
    while True:
        try:
            word = read("your move: ").strip()
        except EOFError:
            return None
        except UnicodeDecodeError:
            print("that is no text; `moves` lists the moves, `quit` leaves", flush=True)
            continue
        if word == "quit":
            return None
        word = next((name for name in words if name.casefold() == word.casefold()), word)
        if word in allowed:
            return next(int(action) for action in np.flatnonzero(legal) if words[action] == word)
        if word == "moves":
            print(" ".join(allowed))
        elif word in words and word:
            print(f"{word} is not free now; `moves` lists what is", flush=True)
        else:
            print(f"no move {word!r}; `moves` lists them, `quit` leaves{did_you_mean(word, allowed)}", flush=True)
