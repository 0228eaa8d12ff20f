"""Peers of the benchmarks of agents do the same work: the same losses, as many parameters, moves and updates."""

import math

import jax
import pytest

from experiments.rl import continuous, ppo, value

gymnasium = pytest.importorskip("gymnasium")
torch = pytest.importorskip("torch")
from experiments.bench.peers import agents, dqn_torch, ppo_torch  # noqa: E402  they need both

PPO = ppo.Config(num_steps=3, batch_size=64, num_envs=4, num_minibatches=2, hidden=(8,))
DQN = value.Config(num_steps=3, batch_size=8, num_envs=4, num_updates=2, capacity=64, warmup=32, hidden=(8, 8))
SAC = continuous.Config(num_steps=3, batch_size=8, capacity=64, warmup=4, hidden=(8,))
BALANCED = DQN.num_envs * DQN.horizon


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_losses_are_those_of_adl():
    ppo_torch.require_equal_losses(ppo.Config())
    dqn_torch.require_equal_losses(value.Config())


def test_a_loop_trains_for_as_long_as_it_is_told():
    assert len([*dqn_torch.train(DQN)]) == DQN.num_steps
    assert agents.theirs(dqn_torch.train, DQN, 2)() > 0


def test_a_run_ends_when_the_last_hundred_episodes_return_enough():
    cfg = value.Config(**{**vars(DQN), "num_steps": 400})
    for goal, reached in (1.0, True), (501.0, False):
        run = agents.theirs_until(dqn_torch.train, cfg, goal)
        assert math.isfinite(run()) == reached
    run = agents.ours_until(ppo.build, ppo.Config(**{**vars(PPO), "num_steps": 100}), 1.0, 50, 2)
    assert math.isfinite(run())


@pytest.mark.parametrize(
    ("name", "build", "cfg", "num_moves", "num_updates"),
    [
        ("as_ppo", ppo.build, PPO, PPO.batch_size, PPO.num_epochs * PPO.num_minibatches),
        ("as_dqn", value.build, DQN, BALANCED, DQN.num_updates),
        ("as_sac", continuous.build, SAC, SAC.num_envs, 1),
    ],
)
def test_stable_baselines3_does_as_much(name, build, cfg, num_moves, num_updates):
    pytest.importorskip("stable_baselines3")
    from experiments.bench.peers import baselines

    model = getattr(baselines, name)(cfg)
    warmup = 0 if name == "as_ppo" else model.learning_starts // num_moves
    model.learn((warmup + cfg.num_steps) * num_moves)
    assert model.num_timesteps == (warmup + cfg.num_steps) * num_moves
    optimizer = model.actor.optimizer if name == "as_sac" else model.policy.optimizer
    steps = {int(state["step"]) for state in optimizer.state.values()}
    assert steps == {cfg.num_steps * num_updates}
    state = jax.eval_shape(build(cfg, None, None).algorithm.init, jax.random.key(0), ())
    ours = sum(leaf.size for leaf in jax.tree.leaves(state.learner.params))
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == ours


def test_stable_baselines3_ends_when_the_last_hundred_episodes_return_enough():
    pytest.importorskip("stable_baselines3")
    from experiments.bench.peers import baselines

    cfg = value.Config(**{**vars(DQN), "num_steps": 400})
    for goal, reached in (1.0, True), (501.0, False):
        assert math.isfinite(baselines.theirs_until(baselines.as_dqn, cfg, goal, BALANCED)()) == reached
