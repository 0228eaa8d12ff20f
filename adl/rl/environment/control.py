"""The small control worlds by name, and what a person must know of each to judge and to draw an agent in it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from adl.core import BadInput, did_you_mean
from adl.rl.environment import acrobot, cartpole, mountain_car, pendulum
from adl.rl.environment.world import Environment


class Control(NamedTuple):
    """A control world: how to make it, and how to read what comes of it."""

    make: Callable[[], Environment]
    limit: int  # steps, the longest episode
    least: float  # return at which figures begin: about a random player's
    most: float  # return at which they end: no episode returns more
    solved: float  # return from which on the task is called solved: Gymnasium's threshold, where there is one
    observed: Mapping[str, str]  # unit by name of each of the D numbers that are seen
    moves: tuple[str, ...]  # names of the choices, or of the numbers of a vector


SPEED = "rad/s"
WORLDS: Mapping[str, Control] = {
    "cartpole": Control(
        cartpole.cartpole,
        cartpole.LIMIT,
        *(0.0, 500.0, 475.0),
        {"position": "m", "velocity": "m/s", "angle": "rad", "spin": SPEED},
        ("left", "right"),
    ),
    "mountain_car": Control(
        mountain_car.mountain_car,
        mountain_car.LIMIT,
        *(-200.0, 0.0, -110.0),
        {"position": "", "velocity": "a step"},
        ("left", "none", "right"),
    ),
    "mountain_car_continuous": Control(
        mountain_car.mountain_car_continuous,
        mountain_car.CONTINUOUS_LIMIT,
        *(-100.0, 100.0, 90.0),
        {"position": "", "velocity": "a step"},
        ("push",),
    ),
    "acrobot": Control(
        acrobot.acrobot,
        acrobot.LIMIT,
        *(-500.0, 0.0, -100.0),
        {"cos_1": "", "sin_1": "", "cos_2": "", "sin_2": "", "spin_1": SPEED, "spin_2": SPEED},
        ("-1 N m", "0 N m", "1 N m"),
    ),
    # Without a threshold in Gymnasium; energy shaping with a linear controller at the top returns about -150.
    "pendulum": Control(
        pendulum.pendulum,
        pendulum.LIMIT,
        *(-1700.0, 0.0, -170.0),
        {"cos": "", "sin": "", "spin": SPEED},
        ("torque",),
    ),
}


def named(name: str) -> Control:
    """The control world of that name.

    Raises:
      BadInput: for one that there is not.
    """
    if name not in WORLDS:
        raise BadInput(f"no control world {name!r}: there are {', '.join(WORLDS)}{did_you_mean(name, tuple(WORLDS))}")
    return WORLDS[name]
