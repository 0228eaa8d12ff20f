"""A pole, balanced: proximal policy optimisation on CartPole, with the environment inside the compiled step.

Schulman et al. 2017, arXiv:1707.06347; details as numbered by Huang et al. 2022, "The 37 implementation details of
proximal policy optimization". The environment is Gymnasium's CartPole-v1, number for number.

    python -m experiments.rl
    python -m experiments.rl --num_seeds 5

Expected: the last 100 episodes return 500, the most there is, in each of five seeds; under a minute for all five.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adl import run, show
from adl.core import BadInput, Key, Mean
from adl.rl.cartpole import ANGLE_THRESHOLD, HALF_LENGTH, LIMIT, NUM_ACTIONS, TIME_STEP, X_THRESHOLD, cartpole
from adl.rl.policy import ActorCritic
from adl.rl.ppo import Agent, ppo
from adl.rl.rollout import Act, last_episodes, play

SOLVED = 475  # Gymnasium's threshold for CartPole-v1, in return
SPINS = np.linspace(-1.5, 1.5, 121)  # rad/s, of the policy's map
ANGLES = np.linspace(-ANGLE_THRESHOLD, ANGLE_THRESHOLD, 121)  # rad


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one seed of the run that the claim is about."""

    num_steps: run.Count = 488  # of 1,024 environment steps: 499,712 in all
    batch_size: run.Count = 1024  # environment steps a step, over all environments; a multiple of num_envs
    num_envs: run.Count = 32  # environments side by side, over all devices
    log_every: run.Count = 8
    eval_every: run.Count = 8
    checkpoint_every: run.Count = 122
    learning_rate: run.Positive = 1e-3  # of Adam at the start, before a straight line to 0 (detail 4)
    num_epochs: run.Count = 4  # passes over the environment steps of a step
    num_minibatches: run.Count = 4  # of each pass, one update each
    discount: run.Fraction = 0.98  # of a reward one environment step later: the future is about 50 steps, or 1 s
    lam: run.Fraction = 0.8  # of the advantage estimates: 0 trusts the values, 1 the returns
    clip: run.Positive = 0.2  # change of an action's probability, as a share, from which on there is nothing to gain
    value_weight: run.NonNegative = 0.5  # of the values' halved squared error in the loss
    entropy_weight: run.NonNegative = 0.01  # of the policy's entropy in the loss; 0 can settle too early
    max_grad_norm: run.Positive = 0.5  # the gradient is scaled down to this norm (detail 11)
    hidden: tuple[int, ...] = (64, 64)  # widths of the hidden layers of the policy, and of the values


CLAIMS = (
    run.Claim(
        metric="last/return",
        at_least=SOLVED,
        reduce="worst",
        overrides={"num_seeds": 5},
        protocol="mean undiscounted return of the last 100 training episodes, actions sampled, after 499,712 "
        "environment steps; each of 5 seeds",
        reference="Gymnasium calls CartPole-v1 solved at 475; 500 is the most there is",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 64, "num_envs": 8, "num_minibatches": 2, "hidden": (8,)}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An agent among its poles, how its last episodes went, and how it does without exploring."""
    if cfg.batch_size % cfg.num_envs:
        raise BadInput(f"--batch_size {cfg.batch_size}: it must be a multiple of --num_envs {cfg.num_envs}")
    model, env = ActorCritic(NUM_ACTIONS, cfg.hidden, dtype=jnp.dtype(cfg.precision)), cartpole()

    def greedy(agent: Agent) -> Act:
        return lambda key, obs: (model.apply(agent.learner.variables, obs)[0].argmax(-1), ())

    def uniform(agent: Agent) -> Act:
        return lambda key, obs: (jax.random.randint(key, (len(obs),), 0, NUM_ACTIONS), ())

    def episodes(key: Key, agent: Agent, policy) -> dict[str, Mean | Array]:
        played = play(key, env, policy(agent), 100, LIMIT)
        return {"return": Mean.of(played.total), "lengths": played.length, "obs": played.obs[:, 0]}

    def chart(key: Key, agent: Agent) -> dict[str, Array]:
        spin, angle = jnp.meshgrid(jnp.asarray(SPINS), jnp.asarray(ANGLES), indexing="ij")
        obs = jnp.stack([jnp.zeros_like(angle), jnp.zeros_like(angle), angle, spin], -1)
        logits, value = model.apply(agent.learner.variables, obs)
        return {"right": jax.nn.softmax(logits)[..., 1], "value": value}

    def training(key: Key, agent: Agent) -> dict[str, Array]:
        finished = agent.copies.finished
        return {"times": finished.time, "lengths": finished.length}

    algorithm = ppo(
        model,
        optimizer(cfg),
        env=env,
        num_envs=cfg.num_envs,
        horizon=cfg.batch_size // cfg.num_envs,
        num_epochs=cfg.num_epochs,
        num_minibatches=cfg.num_minibatches,
        discount=cfg.discount,
        lam=cfg.lam,
        clip=cfg.clip,
        value_weight=cfg.value_weight,
        entropy_weight=cfg.entropy_weight,
        axis=axis,
    )
    return run.Experiment(
        algorithm,
        [()] * cfg.num_steps,  # the world is in the state: nothing arrives
        probes={"last": lambda key, agent: last_episodes(agent.copies)},
        final={
            "greedy": functools.partial(episodes, policy=greedy),
            "uniform": functools.partial(episodes, policy=uniform),
            "policy": chart,
            "training": training,
        },
        figures=show.figures(
            **{"return": functools.partial(return_figure, batch_size=cfg.batch_size)},
            lengths=functools.partial(lengths_figure, num_envs=cfg.num_envs),
            policy=policy_figure,
            episode=episode_figure,
        ),
    )


def optimizer(cfg: Config) -> optax.GradientTransformation:
    """Adam on a straight line to 0, with the gradient's norm bounded."""
    shape = optax.linear_schedule(1.0, 0.0, cfg.num_steps * cfg.num_epochs * cfg.num_minibatches)
    return optax.chain(
        optax.clip_by_global_norm(cfg.max_grad_norm),
        optax.adam(lambda update: cfg.learning_rate * shape(update), eps=1e-5),  # detail 3
    )


def return_figure(outcome: run.Outcome, *, batch_size: int) -> Figure:
    """Return of the last 100 episodes over environment steps: the seeds, their mean, and its standard error."""
    history = [{**row, "step": batch_size * row["step"]} for row in outcome.history]
    outcome = outcome._replace(history=history)
    figure = show.curves({"last 100 episodes": "last/return"}, y_label="return, last 100 episodes", title="Return")(
        outcome
    )
    ax = figure.axes[0]
    steps, values = outcome.curve("last/return")
    if values.ndim == 2 and not outcome.settings:
        ax.plot(steps, values, color=show.COLORS[0], alpha=0.4, linewidth=0.6)
    if not outcome.settings and (reached := (values >= SOLVED).any(0)).all():
        latest = steps[(values >= SOLVED).argmax(0)].max()
        whose = f"by each of {reached.size} seeds" if reached.size > 1 else "reached"
        ax.set_title(f"{SOLVED} {whose} within {latest / 1000:.0f}k steps")
    ax.axhline(SOLVED, color="0.5", linewidth=0.8, linestyle=":")
    ax.text(
        0.98, SOLVED - 6, "solved", transform=ax.get_yaxis_transform(), color="0.4", ha="right", va="top", fontsize=7
    )
    ax.set(xlabel="environment steps", ylim=(0, 1.03 * LIMIT))
    ax.xaxis.set_major_formatter(thousands)
    if not outcome.settings:
        ax.get_legend().remove()  # one curve, named by its axis
    return figure


def thousands(value: float, _: int) -> str:
    """A tick's label: 100k."""
    return f"{value / 1000:g}k" if value else "0"


def lengths_figure(outcome: run.Outcome, *, num_envs: int) -> Figure:
    """Each training episode, up to the last 100 of each environment; and how many of 100 episodes last how long."""
    figure, axes = show.panel(1, 2, size=(3.6, 3.0))
    ax, times, lengths = axes[0, 0], outcome.arrays["training/times"], outcome.arrays["training/lengths"]
    ax.scatter(num_envs * times[times >= 0], lengths[times >= 0], s=3, color=show.COLORS[0], alpha=0.35, linewidths=0)
    ax.set(xlabel="environment steps", ylabel="length (steps)", title=f"{(times >= 0).sum():,} training episodes")
    ax.set(ylim=(0, 1.04 * LIMIT))
    ax.xaxis.set_major_formatter(thousands)
    last = outcome.arrays["last/lengths"]
    kinds = {
        "uniform actions": outcome.arrays["uniform/lengths"],
        "last in training": last[last > 0],
        "likeliest actions": outcome.arrays["greedy/lengths"],
    }
    ax = axes[0, 1]
    for (name, kind), color, line in zip(kinds.items(), ("0.5", *show.COLORS), ("-", "-", "--"), strict=False):
        if len(kind):  # a step down where each episode ends
            at, share = np.append(0, np.sort(kind)), np.append(1, 1 - np.arange(len(kind)) / len(kind))
            at, share = np.append(at, at[-1]), np.append(share, 0)
            ax.step(at, 100 * share, where="pre", color=color, linestyle=line, label=f"{name}: {kind.mean():.0f}")
    ax.set(xlabel="length (steps)", ylabel="episodes that last so long (%)", title="100 episodes each, and their means")
    ax.set(xlim=(0, 1.04 * LIMIT), ylim=(0, 104))
    ax.legend(loc="center", frameon=False, fontsize=8)
    return figure


def policy_figure(outcome: run.Outcome) -> Figure:
    """Which way a cart in the middle is pushed, over the pole's angle and angular velocity, and what that is worth."""
    figure, axes = show.panel(size=(4.6, 3.6))
    ax, degrees = axes[0, 0], np.degrees(ANGLES)
    right, value = outcome.arrays["policy/right"], outcome.arrays["policy/value"]
    image = ax.pcolormesh(degrees, SPINS, right, cmap="RdBu_r", vmin=-0.6, vmax=1.6, shading="nearest", rasterized=True)
    levels = ax.contour(degrees, SPINS, value, levels=4, colors="0.25", linewidths=0.5)
    ax.clabel(levels, fontsize=6, fmt="%.0f")
    path = _episode(outcome, "greedy")
    ax.plot(np.degrees(path[:, 2]), path[:, 3], ".", color="black", markersize=3, markeredgewidth=0, alpha=0.5)
    bar = figure.colorbar(image, ax=ax)
    bar.set_label("probability of a push to the right", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.ax.set_ylim(0, 1)
    bar.outline.set_visible(False)
    ax.set(
        xlabel="angle (degrees)",
        ylabel="angular velocity (rad/s)",
        title="Policy; value (contours); an episode (dots)",
    )
    ax.set(xlim=degrees[[0, -1]], ylim=SPINS[[0, -1]])
    return figure


def episode_figure(outcome: run.Outcome) -> Figure:
    """Two episodes as strips of frames: uniform actions above, the likeliest below."""
    num_frames = 7
    figure, axes = show.panel(2, num_frames, size=(1.4, 0.95))
    for row, (name, kind) in zip(
        axes, {"uniform actions": "uniform", "likeliest actions": "greedy"}.items(), strict=True
    ):
        path = _episode(outcome, kind)
        for ax, time in zip(row, np.linspace(0, len(path) - 1, num_frames).round().astype(int), strict=True):
            draw_frame(ax, path[time])
            ax.set_title(f"{TIME_STEP * time:.2f} s", fontsize=7, pad=2)
        row[0].set_ylabel(f"{name}\n{len(path)} steps", fontsize=7)
    figure.suptitle("An episode from beginning to end", fontsize=10)
    return figure


def draw_frame(ax: Axes, obs: np.ndarray) -> None:
    """A cart on its track and the pole on the cart, in metres, at an observation `[4]`."""
    x, _, angle, _ = obs
    width, height = 0.5, 0.3
    ax.plot([-X_THRESHOLD, X_THRESHOLD], [0, 0], color="0.6", linewidth=0.8)
    ax.vlines([-X_THRESHOLD, X_THRESHOLD], -0.08, 0.08, color="0.6", linewidth=0.8)
    ax.add_patch(Rectangle((x - width / 2, 0.04), width, height, color="0.25", linewidth=0))
    length = 2 * HALF_LENGTH
    tip = x + length * np.sin(angle), height + length * np.cos(angle)
    ax.plot([x, tip[0]], [height, tip[1]], color=show.COLORS[1], linewidth=2.5, solid_capstyle="round")
    ax.set(xlim=(-X_THRESHOLD - 0.3, X_THRESHOLD + 0.3), ylim=(-0.2, 1.45), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _episode(outcome: run.Outcome, kind: str) -> np.ndarray:
    """Observations `[T, 4]` of the first of the episodes, up to its end."""
    return outcome.arrays[f"{kind}/obs"][: outcome.arrays[f"{kind}/lengths"][0]]


if __name__ == "__main__":
    run.main(__name__)
