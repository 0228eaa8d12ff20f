"""Preferences: their likelihood, rewards and policies agree with PyTorch, with closed forms and with each other."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import Learner
from adl.nn.transformer import GPT
from adl.sequence.preference import Answered, Tuned, compared, dpo, responding, reward_model, token_log_probs, worth
from adl.sequence.rlhf import Rewarded, best_of, best_of_divergence, rlhf
from tests.sequence.cases import preferences, prompts

MODEL = GPT(5, 9, 1, 2, 8)
BATCH = preferences(0)


def test_reward_model_is_the_logistic_regression_of_torch():
    torch = pytest.importorskip("torch")
    model = MODEL.clone(num_values=1)
    alg = reward_model(model, optax.sgd(0.0))
    learner = alg.init(jax.random.key(0), BATCH)
    metrics = alg.step(jax.random.key(1), learner, BATCH)[1]
    better, worse = (
        worth(model.apply(learner.variables, BATCH[name]), BATCH[f"{name}_mask"]) for name in ("chosen", "rejected")
    )
    margin = torch.tensor(np.asarray(better - worse))
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(
        margin, torch.ones(16), torch.tensor(BATCH["mask"]), reduction="sum"
    )
    np.testing.assert_allclose(metrics["loss"].total, wanted.item(), rtol=1e-5)


def test_dpo_is_the_formula_of_the_paper_in_torch():
    torch = pytest.importorskip("torch")
    alg = dpo(MODEL, optax.sgd(0.0), beta=0.3)
    variables = [MODEL.init(jax.random.key(i), BATCH["chosen"][:, :-1]) for i in range(2)]
    state = Tuned(Learner.create(variables[0], optax.sgd(0.0)), variables[1])
    metrics = alg.step(jax.random.key(1), state, BATCH)[1]
    sums = {}
    for name in ("chosen", "rejected"):
        for who, of in zip(("policy", "reference"), variables, strict=True):
            logits = torch.tensor(np.asarray(MODEL.apply(of, BATCH[name][:, :-1])))
            index = torch.tensor(BATCH[name][:, 1:, None])
            token = torch.log_softmax(logits, -1).gather(-1, index)[..., 0]
            sums[name, who] = (token * torch.tensor(BATCH[f"{name}_mask"])).sum(-1)
    ratio = [sums[name, "policy"] - sums[name, "reference"] for name in ("chosen", "rejected")]
    losses = -torch.nn.functional.logsigmoid(0.3 * (ratio[0] - ratio[1]))
    wanted = (losses * torch.tensor(BATCH["mask"])).sum()
    np.testing.assert_allclose(metrics["loss"].total, wanted.item(), rtol=1e-4)


def test_dpo_begins_at_the_reference_where_nothing_is_preferred():
    alg = dpo(MODEL, optax.sgd(0.0), beta=0.3)
    metrics = alg.step(jax.random.key(1), alg.init(jax.random.key(0), BATCH), BATCH)[1]
    np.testing.assert_allclose(metrics["loss"].value, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(metrics["margin"].value, 0, atol=1e-6)


def test_worth_is_read_at_the_last_token_of_an_answer():
    output = jnp.arange(12.0).reshape(2, 6)[..., None]
    mask = jnp.array([[0, 0, 1, 1, 0], [0, 1, 1, 1, 1.0]])
    np.testing.assert_array_equal(worth(output, mask), [4, 11])


def test_answers_end_where_they_are_said_to_and_count_so_far():
    variables = MODEL.init(jax.random.key(0), BATCH["chosen"][:, :-1])
    texts = responding(MODEL, 6, end=0)(jax.random.key(1), variables, prompts(0)["prompt"])
    for row, mask in zip(np.asarray(texts.token[:, 3:]), np.asarray(texts.mask[:, 2:]), strict=True):
        ends = np.flatnonzero(row == 0)
        length = ends[0] + 1 if len(ends) else 6
        np.testing.assert_array_equal(mask, np.arange(6) < length)
        assert (row[length:] == 0).all()
    assert not texts.mask[:, :2].any()


def test_a_judge_prefers_as_bradley_and_terry_say_and_not_among_equals():
    texts = [Answered(jnp.full((4000, 3), i), jnp.full((4000, 2), float(i))) for i in range(2)]
    scores = (jnp.full(4000, 0.3), jnp.full(4000, 0.1))
    pairs = compared(jax.random.key(0), *texts, scores, sureness=5.0)
    share = float((pairs["chosen"][:, 0] == 0).mean())
    assert abs(share - 1 / (1 + np.exp(-1))) < 4 * np.sqrt(0.2 / 4000)
    assert (pairs["chosen"] + pairs["rejected"] == 1).all() and (pairs["mask"] == 1).all()
    assert not compared(jax.random.key(0), *texts, (scores[0], scores[0]), sureness=5.0)["mask"].any()


def test_rlhf_reports_the_divergence_that_it_pays_for():
    """At the reference it is 0, and the gradient is of the reward alone; away from it, the sum of the tokens'."""
    model = MODEL.clone(num_values=1)
    alg = rlhf(
        model, optax.sgd(0.0), reward=lambda judge, said: judge * said.mask.sum(1), num_tokens=4, end=0, beta=1.0
    )
    variables = [model.init(jax.random.key(i), prompts(0)["prompt"]) for i in range(2)]
    state = Rewarded(Learner.create(variables[0], optax.sgd(0.0)), variables[0], jnp.array(2.0))
    metrics = jax.jit(alg.step)(jax.random.key(1), state, prompts(0))[1]
    np.testing.assert_allclose(metrics["divergence"].value, 0, atol=1e-6)
    np.testing.assert_allclose(metrics["reward"].value, 2 * metrics["length"].value, rtol=1e-6)
    away = state._replace(reference=variables[1])
    told = jax.jit(alg.step)(jax.random.key(1), away, prompts(0))[1]
    key = jax.random.split(jax.random.key(1))[0]
    texts = responding(MODEL, 4, end=0)(key, {"params": _plain(variables[0])}, jnp.asarray(prompts(0)["prompt"]))
    policy, reference = (
        token_log_probs(MODEL.apply({"params": _plain(of)}, texts.token[:, :-1]), texts.token) for of in variables
    )
    wanted = ((policy - reference) * texts.mask).sum(1).mean()
    np.testing.assert_allclose(told["divergence"].value, wanted, rtol=1e-4)


def _plain(variables):
    return {name: of for name, of in variables["params"].items() if name != "values"}


def test_best_of_n_is_the_best_and_as_far_away_as_is_said():
    """KL(best of n || one) of a reward without ties, drawn: the density of the best is n F^(n - 1)."""
    won = jax.random.uniform(jax.random.key(0), (200_000, 4))
    best = best_of(won, won, 4)
    np.testing.assert_array_equal(best, won.max(1))
    drawn = np.mean(np.log(4 * np.asarray(best, float) ** 3))
    np.testing.assert_allclose(best_of_divergence(4), drawn, atol=0.01)
    np.testing.assert_array_equal(best_of(won, won, 1), won[:, 0])
