"""What the small control worlds look like, as lines in metres, and a plane through the states of each."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from adl.core import BadInput, did_you_mean
from adl.rl.environment import acrobot, cartpole, mountain_car, pendulum
from adl.rl.environment.control import Control

RESOLUTION = 81  # of a plane, either way
Lines = Sequence[np.ndarray]  # [J, 2] each


class Plane(NamedTuple):
    """States that differ in two numbers."""

    x: np.ndarray  # [X]
    y: np.ndarray  # [Y]
    labels: tuple[str, str]  # of both, with their units
    observe: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]  # both [...] -> the D observed numbers [...]
    place: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # observations [T, D] -> both [T]

    @property
    def obs(self) -> np.ndarray:
        """`[X, Y, D]` what is observed in each state."""
        seen = self.observe(*np.meshgrid(self.x, self.y, indexing="ij"))
        return np.stack(np.broadcast_arrays(*seen), -1).astype(np.float32)


class Drawing(NamedTuple):
    """How a world is drawn."""

    plane: Plane
    seconds: float  # of a step; 0 where it has no clock
    reach: tuple[tuple[float, float], tuple[float, float]]  # of both axes of the picture
    ground: Lines  # what does not move
    moving: Callable[[np.ndarray], Lines]  # of an observation [D]

    def held(self, n: int) -> "Drawing":
        """The same, where an action lasts n steps and only the last of them is seen."""
        return self._replace(seconds=n * self.seconds)


def sketch(name: str) -> Drawing:
    """That of a control world by its name.

    Raises:
      BadInput: for one that there is not.
    """
    if name not in SKETCHES:
        raise BadInput(f"no sketch of {name!r}: there are {', '.join(SKETCHES)}{did_you_mean(name, tuple(SKETCHES))}")
    return SKETCHES[name]


def action_scale(world: Control) -> tuple[str, float, float]:
    """What the number is that stands for an action in a map of a policy, its least, and its largest.

    Args:
      world: whose choices, or the only number of its vectors, have names.
    """
    first, last = world.moves[0], world.moves[-1]
    if len(world.moves) == 1:
        return f"{first}, as a share of the most", -1.0, 1.0
    if len(world.moves) == 2:
        return f"probability of {last}", 0.0, 1.0
    return f"mean choice, 0 ({first}) to {len(world.moves) - 1} ({last})", 0.0, len(world.moves) - 1.0


def judged(world: Control) -> dict[str, float]:
    """The returns that a curve is drawn between, and beside."""
    return {"least": world.least, "most": world.most, "solved": world.solved}


def _span(high: float, low: float | None = None) -> np.ndarray:
    return np.linspace(-high if low is None else low, high, RESOLUTION)


def _pole(obs: np.ndarray) -> Lines:
    x, _, angle, _ = obs
    cart = np.array([[-0.25, 0.04], [0.25, 0.04], [0.25, 0.3], [-0.25, 0.3], [-0.25, 0.04]]) + [x, 0]
    length = 2 * cartpole.HALF_LENGTH
    return cart, np.array([[x, 0.3], [x + length * np.sin(angle), 0.3 + length * np.cos(angle)]])


def _hanging(obs: np.ndarray) -> Lines:
    cos, sin, _ = obs
    return (np.array([[0, 0], [-sin, cos]]),)  # Gymnasium turns it to the left


def _links(obs: np.ndarray) -> Lines:
    a, b = np.arctan2(obs[1], obs[0]), np.arctan2(obs[3], obs[2])
    elbow = np.array([np.sin(a), -np.cos(a)])
    return np.stack([np.zeros(2), elbow]), np.stack([elbow, elbow + [np.sin(a + b), -np.cos(a + b)]])


def _hill(x: np.ndarray) -> np.ndarray:
    """Height of the track, whose slope pulls: 3 cos 3x in units of the height's own."""
    return 0.45 * np.sin(3 * x) + 0.55


def _car(obs: np.ndarray) -> Lines:
    x = obs[0] + np.array([-0.06, 0.06])
    low = _hill(x)
    return (np.array([[x[0], low[0]], [x[0], low[0] + 0.09], [x[1], low[1] + 0.09], [x[1], low[1]], [x[0], low[0]]]),)


def _valley(goal: float) -> Drawing:
    x = _span(mountain_car.HIGHEST, mountain_car.LOWEST)
    plane = Plane(
        *(x, _span(mountain_car.MAX_SPEED), ("position", "velocity (a step)")),
        observe=lambda position, velocity: (position, velocity),
        place=lambda obs: (obs[:, 0], obs[:, 1]),
    )
    flag = np.array([[goal, _hill(goal)], [goal, _hill(goal) + 0.25]])
    return Drawing(plane, 0.0, ((-1.3, 0.7), (0.0, 1.4)), (np.stack([x, _hill(x)], -1), flag), _car)


def _around(cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(sin, cos))


def _seen(*degrees: np.ndarray) -> list[np.ndarray]:
    """Cosine and sine of each angle."""
    return [wave(np.radians(angle)) for angle in degrees for wave in (np.cos, np.sin)]


def _lean(obs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.degrees(obs[:, 2]), obs[:, 3]


NAIL = np.array([[-0.1, 0.0], [0.1, 0.0]])  # that a pendulum hangs from
LEAN = np.degrees(cartpole.ANGLE_THRESHOLD)
EDGE = cartpole.X_THRESHOLD
TURN = "angle from upright (degrees)"
SKETCHES: Mapping[str, Drawing] = {
    "cartpole": Drawing(
        Plane(
            *(_span(LEAN), _span(1.5), ("angle (degrees), cart in the middle at rest", "angular velocity (rad/s)")),
            observe=lambda angle, spin: (0.0, 0.0, np.radians(angle), spin),
            place=_lean,
        ),
        cartpole.TIME_STEP,
        ((-EDGE - 0.3, EDGE + 0.3), (-0.2, 1.45)),
        (np.array([[-EDGE, 0.0], [EDGE, 0.0]]),),
        _pole,
    ),
    "pendulum": Drawing(
        Plane(
            *(_span(180), _span(pendulum.MAX_SPEED), (TURN, "angular velocity (rad/s)")),
            observe=lambda angle, spin: (*_seen(angle), spin),
            place=lambda obs: (_around(obs[:, 0], obs[:, 1]), obs[:, 2]),
        ),
        pendulum.TIME_STEP,
        ((-1.2, 1.2), (-1.2, 1.2)),
        (NAIL,),
        _hanging,
    ),
    "acrobot": Drawing(
        Plane(
            *(_span(180), _span(180)),
            ("first angle from hanging (degrees), at rest", "second angle from the first (degrees)"),
            observe=lambda first, second: (*_seen(first, second), 0.0, 0.0),
            place=lambda obs: (_around(obs[:, 0], obs[:, 1]), _around(obs[:, 2], obs[:, 3])),
        ),
        acrobot.TIME_STEP,
        ((-2.2, 2.2), (-2.2, 2.2)),
        (np.array([[-2.2, 1.0], [2.2, 1.0]]), NAIL),
        _links,
    ),
    "mountain_car": _valley(mountain_car.GOAL),
    "mountain_car_continuous": _valley(mountain_car.CONTINUOUS_GOAL),
}
