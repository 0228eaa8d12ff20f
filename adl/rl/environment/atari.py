"""Atari games, emulated: a world outside the program, whose frames and scores come as batches, and a judge.

    pip install 'adl[atari]'

An agent sees the last frames of a game as bytes `[H, W, K]`, the newest last, and holds an action for several of them.
A game that ends is followed by another within the same move: what a move leads to is the game's own last observation,
what is acted on next the beginning of another. Rewards are the signs of what is scored; returns are scores.

Sources: Bellemare et al. 2013, JAIR 47 (the Arcade Learning Environment); Mnih et al. 2015, Nature 518, methods (how
frames are seen); Machado et al. 2018, JAIR 61 (sticky actions).
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import io_callback

from adl.core import BadInput, Key, Mean, Probe, PyTree, did_you_mean, fold_in, of_extra, probe
from adl.core.types import Array
from adl.data.outside import Outside
from adl.rl.rollout import Act, Happened, Transition

EXTRA = ("atari", "Atari's games are emulated by ale-py")
SHOWN = 7  # frames of a game that is judged


class Console(NamedTuple):
    """A game and how it is played.

    Each begins with up to `noops` actions that do nothing, and with FIRE where the game waits for it; only the actions
    that do something are offered.
    """

    game: str  # as ale-py spells it: "pong", "space_invaders"
    size: int = 84  # pixels, height and width of a frame, in shades of grey
    sticky: float = 0.0  # in [0, 1], probability at each frame that the last action is held on to
    skip: int = 4  # frames that an action is held; of the last two the brighter of each pixel is seen
    stack: int = 4  # K, frames that are seen
    noops: int = 30  # the most
    limit: int = 108_000  # frames, after which a game is cut: half an hour
    lives: bool = False  # whether to lose one of several is to the learner the end; the game goes on


def num_actions(game: str) -> int:
    """How many actions of a game do something.

    Args:
      game: its name.
    Raises:
      BadInput: if there is no such game, or ale-py is not installed.
    """
    ale = of_extra("ale_py", *EXTRA)
    names = sorted(of_extra("ale_py.roms", *EXTRA).get_all_rom_ids())
    if game not in names:
        known = f"among its {len(names)} games, such as breakout, pong and space_invaders"
        raise BadInput(f"Atari has no {game} {known}{did_you_mean(game, names)}")
    ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
    emulator = ale.ALEInterface()
    emulator.loadROM(of_extra("ale_py.roms", *EXTRA).get_rom_path(game))
    return len(emulator.getMinimalActionSet())


class Emulators:
    """E games side by side on the host, each followed by another: `obs` `[E, H, W, K]` is to be acted on next."""

    def __init__(self, console: Console, num_envs: int, generator: np.random.Generator):
        """The games at their beginning, all of their luck the generator's."""
        emulated = of_extra("ale_py.vector_env", *EXTRA)
        self.games = emulated.AtariVectorEnv(
            console.game,
            num_envs,
            img_height=console.size,
            img_width=console.size,
            repeat_action_probability=console.sticky,
            frameskip=console.skip,
            stack_num=console.stack,
            noop_max=console.noops,
            max_num_frames_per_episode=console.limit,
            life_loss_info=console.lives,
            reward_clipping=False,
            autoreset_mode="SameStep",
        )
        obs, info = self.games.reset(seed=generator.integers(2**31, size=num_envs))
        self.obs, self.lives = _channels_last(obs), info["lives"].copy()
        self.total, self.length = np.zeros(num_envs, np.float32), np.zeros(num_envs, np.int32)

    def step(self, action: np.ndarray) -> Happened:
        """What comes of actions `[E]`, leaves `[E, ...]`; `obs` is then what follows."""
        seen, (obs, score, terminated, truncated, info) = self.obs, self.games.step(action.astype(np.int32))
        # Whoever has lost a life has fewer; whose game is over has those of the next.
        over = truncated | (terminated & (info["lives"] >= self.lives))
        self.obs, self.lives, next_obs = _channels_last(obs), info["lives"].copy(), _channels_last(obs)
        if over.any():
            next_obs = np.where(over[:, None, None, None], _channels_last(info["final_obs"]), next_obs)
        total, length = self.total + score.astype(np.float32), self.length + 1
        self.total, self.length = total * ~over, length * ~over
        reward = np.sign(score).astype(np.float32)
        truncated = truncated & ~terminated
        return Happened(Transition(seen, action, reward, next_obs, terminated, truncated, ()), total, length, over)


def atari(
    console: Console,
    act: Callable[[PyTree], Act],
    view: Callable[[Any], PyTree],
    *,
    num_envs: int,
    horizon: int,
    segment: int,
    seed: int = 0,
) -> Outside:
    """A world of E games side by side, whose batches are `Happened` `[E, T, ...]`.

    Args:
      console: the game.
      act: `act(view(state))` chooses actions; it is compiled.
      view: what the actor needs of the learner's state.
      num_envs: E >= 1.
      horizon: T >= 1, moves of each game a step.
      segment: steps after which all games begin anew.
      seed: >= 0.
    Raises:
      BadInput: if there is no such game, or ale-py is not installed.
    """
    num_actions(console.game)
    acting = probe.jitted(lambda key, number, view, obs: act(view)(fold_in(key, number), obs)[0])

    def begin(generator):
        games, numbers = Emulators(console, num_envs, generator), itertools.count()
        key = jax.random.key(int(generator.integers(2**31)))

        def play(view):
            view = jax.tree.map(jnp.asarray, jax.device_get(view))  # of all devices, on the one that acts
            moves = [
                games.step(np.asarray(acting(key, np.int32(number), view, games.obs)))
                for number in itertools.islice(numbers, horizon)
            ]
            return jax.tree.map(lambda *leaves: np.stack(leaves, 1), *moves)

        return play

    def many(shape, dtype):
        return np.zeros((num_envs, horizon, *shape), dtype)

    obs, number, flag = many(_shape(console), np.uint8), many((), np.float32), many((), bool)
    moves = Transition(obs, many((), np.int32), number, obs, flag, flag, ())
    example = Happened(moves, number, many((), np.int32), flag)
    return Outside(begin, view, example=example, segment=segment, seed=seed)


def scores(console: Console, policy: Callable[[Any], Act], *, num_episodes: int) -> Probe:
    """Probe: "return" and "length" of whole games; "returns" and "lengths" `[N]`; "frames" `[7, H, W]` of one, "moves".

    The games are on the host, of which each look begins its own; the policy is in the program.

    Args:
      console: the game.
      policy: of the agent.
      num_episodes: N >= 1, side by side; each game's first counts.
    """
    console = console._replace(lives=False)
    shape, running, handles = (num_episodes, *_shape(console)), {}, itertools.count()
    seen = jax.ShapeDtypeStruct(shape, jnp.uint8)
    word, flag = jax.ShapeDtypeStruct((), jnp.int32), jax.ShapeDtypeStruct((), jnp.bool_)
    kinds = ((num_episodes,), jnp.float32), ((num_episodes,), jnp.int32)
    kinds += ((SHOWN, *shape[1:3]), jnp.uint8), ((SHOWN,), jnp.int32)
    told = tuple(jax.ShapeDtypeStruct(*kind) for kind in kinds)

    def begin(seed):
        handle = next(handles)
        running[handle] = _Judge(console, num_episodes, int(seed))
        return np.int32(handle), running[handle].games.obs

    def move(handle, action):
        return running[int(handle)].move(np.asarray(action))

    def end(handle, number):
        return running.pop(int(handle)).told()

    def look(key: Key, agent: Any) -> dict[str, Mean | Array]:
        begin_key, act_key = jax.random.split(key)
        seed = jax.random.randint(begin_key, (), 0, jnp.iinfo(jnp.int32).max)
        handle, first = io_callback(begin, (word, seen), seed)

        def one(carry):
            number, obs, _ = carry
            action, _ = policy(agent)(fold_in(act_key, number), obs)
            return number + 1, *io_callback(move, (seen, flag), handle, action)

        number, *_ = lax.while_loop(lambda carry: carry[2], one, (jnp.int32(0), first, jnp.bool_(True)))
        total, length, shown, moves = io_callback(end, told, handle, number)
        means = {"return": Mean.of(total), "length": Mean.of(length.astype(jnp.float32))}
        return {**means, "returns": total, "lengths": length, "frames": shown, "moves": moves}

    return look


class _Judge:
    """Games of which the first of each counts, and what was seen of one."""

    def __init__(self, console: Console, num_episodes: int, seed: int):
        self.games = Emulators(console, num_episodes, np.random.default_rng(seed))
        self.total, self.length = np.zeros(num_episodes, np.float32), np.zeros(num_episodes, np.int32)
        self.frames: list[np.ndarray] = []

    def move(self, action: np.ndarray) -> tuple[np.ndarray, np.bool_]:
        """What is acted on next, and whether a first game still goes on."""
        there = self.length == 0
        if there[0]:
            self.frames.append(self.games.obs[0, ..., -1])
        seen = self.games.step(action)
        ended = there & seen.over
        self.total, self.length = np.where(ended, seen.total, self.total), np.where(ended, seen.length, self.length)
        return self.games.obs, np.bool_((self.length == 0).any())

    def told(self) -> tuple[np.ndarray, ...]:
        """Scores, lengths in moves, frames of the first game and their moves."""
        moves = np.linspace(0, len(self.frames) - 1, SHOWN).round().astype(np.int32)
        return self.total, self.length, np.stack([self.frames[move] for move in moves]), moves


def _shape(console: Console) -> tuple[int, int, int]:
    return console.size, console.size, console.stack


def _channels_last(obs: np.ndarray) -> np.ndarray:
    """A copy `[E, H, W, K]` of frames `[E, K, H, W]`."""
    return np.ascontiguousarray(obs.transpose(0, 2, 3, 1))
