"""Robots that hop and walk in a plane: Gymnasium's Hopper-v5 and Walker2d-v5, in the graph, by MuJoCo's MJX.

    reward = (x' - x) / dt + 1 while upright - 0.001 |u|^2

with the torso's way x (m) over a step of four of the simulation's, dt = 0.008 s, and the motors' shares u in [-1, 1].
Observations are all positions but x, and all velocities within [-10, 10]. The episode terminates where the robot is no
longer upright, and is truncated after 1,000 steps.

The bodies are Gymnasium's own files. How far the solver of contacts iterates is a choice: `FAST` is for learning, and
parts from C MuJoCo after tens of steps; `EXACT` agrees with it. So what was learned here is judged in Gymnasium's own
world, `in_gymnasium`, which steps on the host.
Source: Gymnasium's `hopper_v5.py` and `walker2d_v5.py`; Todorov, Erez & Tassa 2012 (IROS), MuJoCo.
"""

import contextlib
import io
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.core import BadInput, Mean, Probe, did_you_mean, of_extra
from adl.core.types import Array, Key
from adl.rl.environment.world import Bounds, Environment, Step
from adl.rl.environment.wrappers import time_limit
from adl.rl.rollout import Act, play

EXTRA = ("locomotion", "robots move by mujoco")
LIMIT = 1000  # steps
FRAMES = 4  # steps of the simulation a step
STEP_SECONDS = 0.008  # of a step
NOISE = 5e-3  # of positions and velocities at the start, either way
MAX_SPEED = 10.0  # of velocities that are seen
FAST, EXACT = (1, 4), (4, 8)  # iterations of the solver, and of each of its line searches


class Robot(NamedTuple):
    """A body, and when it counts as upright."""

    title: str  # Gymnasium's
    body: str  # file of Gymnasium's
    height: tuple[float, float]  # m, of the torso's centre
    angle: float  # rad, either way
    others: float = math.inf  # any other number of the state, either way


ROBOTS: Mapping[str, Robot] = {
    "hopper": Robot("Hopper-v5", "hopper.xml", (0.7, math.inf), 0.2, 100.0),
    "walker2d": Robot("Walker2d-v5", "walker2d_v5.xml", (0.8, 2.0), 1.0),
}


class Moving(NamedTuple):
    """State of a robot."""

    position: Array  # [Q] of its joints
    velocity: Array  # [V]
    force: Array  # [V] accelerations of the last step, where the solver begins


def robot(
    name: str,
    *,
    iterations: tuple[int, int] = FAST,
    integrator: Literal["rk4", "euler"] = "rk4",
    limit: int = LIMIT,
) -> Environment:
    """One of `ROBOTS` by its name, with actions `[U]` in [-1, 1].

    Args:
      name: "hopper" or "walker2d".
      iterations: of the solver, and of each of its line searches.
      integrator: Gymnasium's is Runge and Kutta's; Euler's asks a fourth as often for the forces.
      limit: steps until truncation, >= 1.
    Raises:
      BadInput: for a robot that there is not, or where the extra `locomotion` is not installed.
    """
    body, kind = simulation(name), ROBOTS[name]
    with contextlib.redirect_stdout(io.StringIO()):  # it says what it does not find for GPUs of one maker
        mjx = of_extra("mujoco.mjx", *EXTRA)
    body.opt.iterations, body.opt.ls_iterations = iterations
    if integrator == "euler":
        body.opt.integrator = of_extra("mujoco", *EXTRA).mjtIntegrator.mjINT_EULER
    with jax.numpy_rank_promotion("allow"):  # MJX's own
        model, blank = mjx.put_model(body), mjx.make_data(body)

    def reset(key):
        state = at_rest(key, body.qpos0, body.nv)
        return state, _seen(state)

    def step(key, state, action):
        data = blank.replace(qpos=state.position, qvel=state.velocity, qacc_warmstart=state.force, ctrl=action)
        with jax.numpy_rank_promotion("allow"):  # MJX's own
            data = lax.fori_loop(0, FRAMES, lambda _, data: mjx.step(model, data), data)
        after = Moving(data.qpos, data.qvel, data.qacc_warmstart)
        is_upright = upright(kind, after.position, after.velocity)
        forward = (after.position[0] - state.position[0]) / STEP_SECONDS
        reward = forward + is_upright - 1e-3 * jnp.square(action).sum()
        return Step(after, _seen(after), reward, ~is_upright, jnp.zeros((), bool))

    return time_limit(Environment(reset, step, _shares(body.nu)), limit)


def in_gymnasium(name: str, *, limit: int = LIMIT) -> Environment:
    """The same world as Gymnasium has it: steps are C MuJoCo's, on the host, of all copies one after the other.

    It judges what was learned elsewhere. A step is a function of its state, as any other environment's, wherever it
    runs: those of several devices wait for each other, since there is one simulation.

    Args:
      name: as of `robot`.
      limit: steps until truncation, >= 1.
    Raises:
      BadInput: as `robot`.
    """
    body = simulation(name)
    world, alone = of_extra("gymnasium", *EXTRA).make(ROBOTS[name].title).unwrapped, threading.Lock()

    def stepped(position, velocity, force, action):
        rows = [np.asarray(x).reshape(-1, x.shape[-1]) for x in (position, velocity, force, action)]
        with alone:
            found = [_one_step(world, *row) for row in zip(*rows, strict=True)]
        lead = np.shape(position)[:-1]
        return tuple(np.reshape(x, (*lead, *np.shape(x[0]))) for x in zip(*found, strict=True))

    def reset(key):
        state = at_rest(key, body.qpos0, body.nv)
        return state, _seen(state)

    shapes = [jax.ShapeDtypeStruct((size,), jnp.float32) for size in (body.nq, body.nv, body.nv, body.nq + body.nv - 1)]
    shapes += [jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct((), jnp.bool_)]

    def step(key, state, action):
        *moving, obs, reward, terminated = jax.pure_callback(
            stepped, tuple(shapes), *state, action, vmap_method="broadcast_all"
        )
        return Step(Moving(*moving), obs, reward, terminated, jnp.zeros((), bool))

    return time_limit(Environment(reset, step, _shares(body.nu)), limit)


def _one_step(world: Any, position: np.ndarray, velocity: np.ndarray, force: np.ndarray, action: np.ndarray) -> tuple:
    """State, observation, reward and end after a step of Gymnasium's world from a state of ours."""
    world.set_state(position.astype(float), velocity.astype(float))
    world.data.qacc_warmstart[:] = force
    obs, reward, terminated, *_ = world.step(action)
    data = world.data
    moving = (data.qpos, data.qvel, data.qacc_warmstart, obs, reward)
    return (*(np.array(x, np.float32) for x in moving), np.bool_(terminated))


def at_rest(key: Key, rest: np.ndarray, num_velocities: int) -> Moving:
    """A robot at the beginning of an episode: upright, but for a little noise.

    Args:
      key: consumed.
      rest: `[Q]` positions.
      num_velocities: V.
    """
    position_key, velocity_key = jax.random.split(key)
    noise = {"minval": -NOISE, "maxval": NOISE}
    position = jnp.asarray(rest, jnp.float32) + jax.random.uniform(position_key, rest.shape, **noise)
    return Moving(position, jax.random.uniform(velocity_key, (num_velocities,), **noise), jnp.zeros(num_velocities))


def gait(env: Environment, policy: Callable[[Any], Act], *, num_episodes: int, limit: int = LIMIT) -> Probe:
    """Probe: "return", "speed" (m/s forward), "seconds" upright and "falls" (share); "lengths" `[N]`, and `obs` of one.

    Args:
      env: a robot.
      policy: of the agent.
      num_episodes: N >= 1.
      limit: steps within which every episode ends.
    """

    def probe(key: Key, agent: Any) -> dict[str, Mean | Array]:
        played = play(key, env, policy(agent), num_episodes, limit)
        there = jnp.arange(limit)[:, None] < played.length[None]
        forward = played.obs[..., played.obs.shape[-1] // 2]  # of 2 Q - 1 numbers the first velocity
        told = {"return": played.total, "seconds": STEP_SECONDS * played.length, "falls": played.length < limit}
        means = {name: Mean.of(values) for name, values in told.items()}
        arrays = {"returns": played.total, "lengths": played.length, "obs": played.obs[:, 0]}
        return {**means, "speed": Mean.of(forward, there), **arrays}

    return probe


def outline(name: str) -> Callable[[np.ndarray], list[np.ndarray]]:
    """What is drawn of a robot, of an observation `[2 Q - 1]`: the middle lines of its limbs, in m, its torso at x = 0.

    Args:
      name: as of `robot`.
    Raises:
      BadInput: as `robot`.
    """
    mujoco, body = of_extra("mujoco", *EXTRA), simulation(name)
    data, limbs = mujoco.MjData(body), np.flatnonzero(body.geom_type == mujoco.mjtGeom.mjGEOM_CAPSULE)

    def lines(obs: np.ndarray) -> list[np.ndarray]:
        data.qpos[:] = np.append(0.0, obs[: body.nq - 1])
        mujoco.mj_kinematics(body, data)
        along = data.geom_xmat[limbs].reshape(-1, 3, 3)[:, :, 2] * body.geom_size[limbs, 1:2]
        ends = data.geom_xpos[limbs][:, None] + along[:, None] * np.array([-1.0, 1.0])[:, None]
        return [*ends[..., [0, 2]]]

    return lines


def way(obs: np.ndarray) -> np.ndarray:
    """Where the torso is, `[T]` in m from where it was first, of an episode's observations `[T, 2 Q - 1]`."""
    forward = STEP_SECONDS * obs[:, obs.shape[1] // 2]
    return np.cumsum(forward) - forward


def joint_names(name: str) -> tuple[list[str], list[str]]:
    """What the numbers of an observation are, "rootz" and "rootx speed", and what those of an action move.

    Args:
      name: as of `robot`.
    Raises:
      BadInput: as `robot`.
    """
    body = simulation(name)
    joints = [body.joint(j).name for j in range(body.njnt)]
    moved = [body.joint(j).name for j in body.actuator_trnid[:, 0]]
    return [*joints[1:], *(f"{joint} speed" for joint in joints)], moved


def _seen(state: Moving) -> Array:
    return jnp.concatenate([state.position[1:], jnp.clip(state.velocity, -MAX_SPEED, MAX_SPEED)])


def _shares(size: int) -> Bounds:
    return Bounds(np.full(size, -1, np.float32), np.full(size, 1, np.float32))


def upright(kind: Robot, position: Array, velocity: Array) -> Array:
    """`[]` whether a robot with positions `[Q]` and velocities `[V]` is."""
    others = jnp.abs(jnp.concatenate([position[2:], velocity])).max() < kind.others
    low, high = kind.height
    return others & (position[1] > low) & (position[1] < high) & (jnp.abs(position[2]) < kind.angle)


def simulation(name: str) -> Any:
    """The body of one of `ROBOTS` as C MuJoCo's model.

    Raises:
      BadInput: for a robot that there is not, or where the extra `locomotion` is not installed.
    """
    if name not in ROBOTS:
        raise BadInput(f"no robot {name!r}: there are {', '.join(ROBOTS)}{did_you_mean(name, tuple(ROBOTS))}")
    mujoco, gymnasium = of_extra("mujoco", *EXTRA), of_extra("gymnasium", *EXTRA)
    path = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / ROBOTS[name].body
    return mujoco.MjModel.from_xml_path(str(path))
