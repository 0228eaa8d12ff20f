"""How good an assistant is at each stage: its answers by the checker, by its reward models, and beside each other."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Mean, Probe, PyTree, tree
from adl.measure.calibration import binned, expected_calibration_error
from adl.measure.preferred import win_rate
from adl.nn.transformer import GPT
from adl.sequence.assistant import POLICIES, Score, Staff, rewarded_by, speaking, tree_of_several, tuning, under_name
from adl.sequence.preference import Answered, responding, token_log_probs
from adl.sequence.rlhf import best_of, best_of_divergence


def by_either(reward: Callable[[PyTree, Answered], Array], staff: Staff, texts: Answered) -> Array:
    """`[2, B]` what texts are worth to the reward model, and to the poor one."""
    return jax.vmap(reward, (0, None))(tree_of_several(staff.reward.variables, staff.poor), texts)


def has_begun(staff: Staff, name: str) -> Array:
    """`[]` 1 where one of `POLICIES` has learned, 0 where it is still as it was drawn."""
    learner = staff.language if name == "sft" else staff.policies[name]
    return (tree.norm(optax.tree.get(learner.opt_state, "mu")) > 0).astype(jnp.float32)


def policies_examined(
    model: GPT,
    token: Array,
    *,
    score: Score,
    prompt_length: int,
    end: int,
    sureness: float,
    rank: int = 0,
) -> Probe:
    """Probe: what each of `POLICIES` answers, by the checker, by the reward models, and beside the first.

    Args:
      model: as of `course`.
      token: `[N, P + A]` prompts, and right answers.
      score: as of `course`, and so are all others.
      prompt_length: P.
      end: of an answer.
      sureness: of the judge.
      rank: as of `course`.
    Returns:
      Of answers that are drawn, for each NAME: `NAME_score` and `NAME_exact`, mean score and share that is right;
      `NAME_divergence`, an estimate of KL(NAME || sft) in nats an answer; `NAME_reward` and `NAME_poor_reward`, what
      the reward models say, less what they say of the first; `NAME_win`, `NAME_win_low` and `NAME_win_high` against the
      first, as `measure.preferred.win_rate`. Of who has learned nothing yet, nothing is counted.
    """
    num_tokens = token.shape[1] - prompt_length
    reward = rewarded_by(tuning(model.clone(num_values=1), rank))
    draw = responding(model, num_tokens, end=end)

    def seen(token, key, staff):
        prompt = jnp.asarray(token[:, :prompt_length])

        def of_one(inputs):
            key, variables = inputs
            texts = draw(key, variables, prompt)
            both = tree_of_several(variables, staff.language.variables)
            logits = jax.vmap(model.apply, (0, None))(both, texts.token[:, :-1])
            log_prob, before = (token_log_probs(of, texts.token) for of in logits)
            found = {
                "score": score(token, texts.answers(num_tokens)),
                "divergence": ((log_prob - before) * texts.mask).sum(1),
                **dict(zip(("reward", "poor_reward"), by_either(reward, staff, texts), strict=True)),
            }
            return found

        variables = tree_of_several(*(speaking(model, staff, name, rank=rank) for name in POLICIES))
        return lax.map(of_one, (jax.random.split(key, len(POLICIES)), variables))

    def probe(token, key, staff):
        every, told = seen(token, key, staff), {}
        first = tree.take(every, 0)
        for i, name in enumerate(POLICIES):
            one = tree.take(every, i)
            means = {"score": one["score"], "exact": one["score"] == 1, "divergence": one["divergence"]}
            means |= {by: one[by] - first[by] for by in ("reward", "poor_reward")}
            found = {key: Mean.of(value) for key, value in means.items()}
            found |= win_rate(one["score"], first["score"]) if i else {}
            counts = has_begun(staff, name)
            told |= under_name(
                name, {key: Mean(counts * mean.total, counts * mean.count) for key, mean in found.items()}
            )
        return told

    return Partial(probe, token)


def chosen_from(
    model: GPT,
    token: Array,
    *,
    score: Score,
    prompt_length: int,
    end: int,
    sureness: float,
    nums: Sequence[int],
    rank: int = 0,
) -> Probe:
    """Probe: the reward model by pairs of answers that it has not seen, and the best of n answers by it.

    Args:
      model: as of `policies_examined`, and so are all others but the last.
      token: `[N, P + A]`.
      score: of an answer.
      prompt_length: P.
      end: of an answer.
      sureness: of the judge.
      nums: n, rising; the last gives the metrics.
      rank: as of `course`.
    Returns:
      `accuracy` and `ece` of what the reward model foretells of a judge, on pairs that a judge tells apart;
      `poor_accuracy`; `best_score`, `best_exact` and `best_win` ... of the last n, and arrays `[n]` `best_of`, the
      mean scores, and `divergence`; and of ten bins `said` and `came`, how surely the first was to be chosen, and how
      often it was.
    """
    num_tokens, most = token.shape[1] - prompt_length, 2 * nums[-1]
    reward, draw = rewarded_by(tuning(model.clone(num_values=1), rank)), responding(model, num_tokens, end=end)

    def probe(token, key, staff):
        keys, many = jax.random.split(key), jnp.repeat(jnp.asarray(token), most, 0)
        texts = draw(keys[0], staff.language.variables, many[:, :prompt_length])
        scores = score(many, texts.answers(num_tokens)).reshape(-1, most)
        won, poor = by_either(reward, staff, texts).reshape(2, -1, most)
        best = {n: best_of(won, scores, n) for n in nums}
        gap, margin, less = (_gaps(x) for x in (scores, won, poor))
        came = jax.random.bernoulli(keys[1], jax.nn.sigmoid(sureness * gap))
        weight = (gap != 0).astype(jnp.float32)
        bins = binned(jax.nn.sigmoid(margin), came, num_bins=10, weights=weight)
        last = best[nums[-1]]
        return {
            "accuracy": Mean.of((margin > 0) == came, weight),
            "poor_accuracy": Mean.of((less > 0) == came, weight),
            "ece": Mean.of(expected_calibration_error(bins)),
            "best_score": Mean.of(last),
            "best_exact": Mean.of(last == 1),
            **under_name("best", win_rate(last, scores[:, -1])),  # of those that it was not chosen from
            "best_of": jnp.stack([one.mean() for one in best.values()]),
            "best_divergence": best_of_divergence(jnp.asarray(nums)),
            "said": bins.confidence / bins.count,
            "came": bins.correct / bins.count,
        }

    return Partial(probe, token)


def _gaps(x: Array) -> Array:
    """`[N M / 2]` differences of the answers, two and two."""
    return (x[:, ::2] - x[:, 1::2]).ravel()
