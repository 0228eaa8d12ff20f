"""DQN and each thing that followed it, by name; and all of these at once, which is Rainbow.

Source: Hessel et al. 2018, arXiv:1710.02298.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from adl.core import BadInput, did_you_mean
from adl.rl.dqn import double
from adl.rl.networks import NoisyDense
from adl.rl.replay import prioritised_memory, uniform_memory
from adl.rl.worth import Worth, by_atoms, expected

RAINBOW = ("double", "dueling", "prioritised", "n_step", "c51", "noisy")
NUM_ATOMS = 51  # places of C51's distribution of returns


class Variant(NamedTuple):
    """What a descendant of DQN differs by."""

    network: Mapping[str, Any]  # options of `networks.QNetwork`
    learning: Mapping[str, Any]  # options of `dqn.dqn`
    worth: Worth  # among them
    is_noisy: bool  # whether it explores by itself, and no move is at random


def variant(name: str, *, reach: float, num_back: int = 3, plain: Worth = expected) -> Variant:
    """The descendant of that name: "dqn", one of `RAINBOW`, or "rainbow".

    Args:
      name: of it.
      reach: > 0, the largest return either way, of C51.
      num_back: >= 1, moves of an n-step return.
      plain: what a number is worth where it is not C51's: `worth.expected` or `worth.clipped`.
    Raises:
      BadInput: for a name that there is not.
    """
    names = ("dqn", *RAINBOW, "rainbow")
    if name not in names:
        raise BadInput(f"no value method {name!r}: there are {', '.join(names)}{did_you_mean(name, names)}")
    parts = RAINBOW if name == "rainbow" else (name,)
    memory = prioritised_memory if "prioritised" in parts else uniform_memory
    worth = by_atoms(-reach, reach, NUM_ATOMS) if "c51" in parts else plain
    network: dict[str, Any] = {"num_atoms": NUM_ATOMS} if "c51" in parts else {}
    learning: dict[str, Any] = {"memory": memory(num_back if "n_step" in parts else 1), "worth": worth}
    if "dueling" in parts:
        network["streams"] = "dueling"
    if "noisy" in parts:
        network["dense"] = NoisyDense
    if "double" in parts:
        learning["choose"] = double
    return Variant(network, learning, worth, "noisy" in parts)
