"""From a language model to an assistant, in stages of one run; and how good it is at each.

    read        what people wrote, prompts, mistakes and all
    follow      demonstrations, of which the answers alone count: supervised fine-tuning
    compare     pairs of its own answers, of which a judge chooses one: a reward model, a poor one, of few of them, and
                a policy that learns of the pairs themselves (DPO)
    please      the reward model, or the poor one (PPO), at a price for leaving what was learned so far

The judge knows the score of an answer, in [0, 1]; no network is told it. Source: Ouyang et al. 2022, arXiv:2203.02155,
figure 2, with Rafailov et al. 2023, arXiv:2305.18290, beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Key, Learner, Mean, Metrics, Probe, PyTree, over_seeds, tree
from adl.measure.calibration import binned, expected_calibration_error
from adl.measure.preferred import win_rate
from adl.nn.transformer import GPT
from adl.sequence.decode import greedy
from adl.sequence.language import language_model
from adl.sequence.preference import Texts, Tuned, compared, dpo, responding, reward_model, token_log_probs, worth
from adl.sequence.rlhf import Rewarded, best_of, best_of_divergence, rlhf

STAGES = ("read", "follow", "judge", "compare", "doubt", "compare more", "begin", "please")
BRIEF = ("judge", "doubt", "begin")  # a step each, in which somebody begins with what another knows
POLICIES = ("sft", "ppo", "poor", "dpo")

Score = Callable[[Array, Array], Array]  # (token [B, P + A], answers [B, A]) -> [B] in [0, 1]


class Staff(NamedTuple):
    """Everybody that learns in a `course`."""

    language: Learner  # after demonstrations the reference of all others
    reward: Learner
    poor: PyTree  # variables of the reward model when it was early
    policies: Mapping[str, Learner]  # "ppo", "poor" and "dpo"


class Course(NamedTuple):
    """What `core.staged` makes an algorithm of."""

    init: Callable[[Key, PyTree], Staff]
    steps: Sequence[Callable[[Key, Staff, PyTree], tuple[Staff, Metrics]]]  # of each of `STAGES`
    stage: Callable[[PyTree], Array]


def course(
    model: GPT,
    tx: optax.GradientTransformation,
    *,
    score: Score,
    prompt_length: int,
    end: int,
    sureness: float,
    beta: Array | float,
    rewarding: optax.GradientTransformation | None = None,
    pleasing: optax.GradientTransformation | None = None,
    num_epochs: int = 2,
    num_minibatches: int = 2,
    axis: str | None = None,
) -> Course:
    """All stages of the module's table on one state, a `Staff`; a batch says which by its "stage" `[B]`, of `STAGES`.

    A batch has "token" `[B, P + A]`, prompts and right answers, and "mask" as of `language_model`, which is asked in
    the first two stages; the others take the prompts alone, and draw answers. A step reports `loss` and `accuracy` of
    the language model, `reward_loss`, `reward_accuracy` and `reward_margin`, and of each policy what its factory does.

    Args:
      model: without values; the networks that have one are otherwise the same.
      tx: optax transformation of the language model.
      score: what the judge goes by.
      prompt_length: P.
      end: the token that ends an answer.
      sureness: of the judge, as in `preference.compared`.
      beta: > 0, price in units of reward of a nat, of PPO and of DPO.
      rewarding: transformation of the reward model; None: `tx`.
      pleasing: transformation of the policies; None: `tx`.
      num_epochs: of PPO.
      num_minibatches: of PPO.
      axis: as in `core.descend`.
    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.1.
    """
    rewarding, pleasing = rewarding or tx, pleasing or tx
    valued = model.clone(num_values=1)
    num_tokens = model.max_length - prompt_length
    respond = responding(model, num_tokens, end=end)
    learns = language_model(model, tx, axis=axis)
    judges = reward_model(valued, rewarding, axis=axis)
    of_ppo = {"num_tokens": num_tokens, "end": end, "num_epochs": num_epochs, "num_minibatches": num_minibatches}
    ppo = rlhf(valued, pleasing, reward=rewarded_by(valued), beta=beta, axis=axis, **of_ppo)
    direct = dpo(model, pleasing, beta=beta, axis=axis)

    def init(key: Key, batch) -> Staff:
        keys = jax.random.split(key)
        language = learns.init(keys[0], batch)
        params = valued.init(keys[1], batch["token"])["params"]
        reward = Learner.create({"params": params}, rewarding)
        policies = begun(("ppo", "poor"), params) | begun(("dpo",), tree.copy(language.params))
        return Staff(language, reward, tree.copy(reward.variables), policies)

    def begun(names: Sequence[str], params: PyTree) -> dict[str, Learner]:
        return {name: Learner.create({"params": tree.copy(params)}, pleasing) for name in names}

    def learn(key: Key, staff: Staff, batch):
        language, metrics = learns.step(key, staff.language, {name: batch[name] for name in ("token", "mask")})
        return staff._replace(language=language), metrics

    def judge(key: Key, staff: Staff, batch):  # the values are still as they were drawn
        params = {**staff.language.params, "values": staff.reward.params["values"]}
        reward = Learner.create({"params": params}, rewarding)
        return staff._replace(reward=reward, policies=staff.policies | begun(("dpo",), staff.language.params)), {}

    def doubt(key: Key, staff: Staff, batch):
        return staff._replace(poor=staff.reward.variables), {}

    def begin(key: Key, staff: Staff, batch):
        values = jax.tree.map(jnp.zeros_like, staff.reward.params["values"])
        own = begun(("ppo", "poor"), {**staff.language.params, "values": values})
        return staff._replace(policies=staff.policies | own), {}

    def pairs(key: Key, staff: Staff, token: Array) -> dict[str, Array]:
        keys = jax.random.split(key)
        both = respond(keys[0], staff.language.variables, jnp.tile(token[:, :prompt_length], (2, 1)))
        first, second = (jax.tree.map(lambda x, i=i: jnp.split(x, 2)[i], both) for i in range(2))
        scores = tuple(score(token, texts.answers(num_tokens)) for texts in (first, second))
        return compared(keys[1], first, second, scores, sureness=sureness)

    def compare(key: Key, staff: Staff, batch):
        keys = jax.random.split(key, 3)
        chosen = pairs(keys[0], staff, batch["token"])
        reward, metrics = judges.step(keys[1], staff.reward, chosen)
        before = Tuned(staff.policies["dpo"], staff.language.variables)
        after, told = direct.step(keys[2], before, chosen)
        staff = staff._replace(reward=reward, policies=staff.policies | {"dpo": after.learner})
        return staff, _named("reward", metrics) | _named("dpo", told)

    def please(key: Key, staff: Staff, batch):
        by = {"ppo": staff.reward.variables, "poor": staff.poor}
        before = (Rewarded(staff.policies[name], staff.language.variables, judge) for name, judge in by.items())
        prompt = {"prompt": batch["token"][:, :prompt_length]}
        both, metrics = over_seeds(ppo, 2).step(key, _stacked(*before), prompt)
        after = {name: tree.take(both.learner, i) for i, name in enumerate(by)}
        told = {f"{name}_{metric}": tree.take(mean, i) for i, name in enumerate(by) for metric, mean in metrics.items()}
        return staff._replace(policies=staff.policies | after), told

    steps = (learn, learn, judge, compare, doubt, compare, begin, please)
    return Course(init, steps, lambda batch: batch["stage"][0])


def _named(name: str, metrics: Metrics) -> dict[str, Mean]:
    return {f"{name}_{metric}": mean for metric, mean in metrics.items()}


def rewarded_by(model: GPT) -> Callable[[PyTree, Texts], Array]:
    """`reward(variables, texts) -> [B]` of a reward model."""
    return lambda variables, texts: worth(model.apply(variables, texts.token), texts.mask)


def by_either(reward: Callable[[PyTree, Texts], Array], staff: Staff, texts: Texts) -> Array:
    """`[2, B]` what texts are worth to the reward model, and to the poor one."""
    return jax.vmap(reward, (0, None))(_stacked(staff.reward.variables, staff.poor), texts)


def _stacked(*trees: PyTree) -> PyTree:
    return jax.tree.map(lambda *x: jnp.stack(x), *trees)


def speaking(staff: Staff, name: str) -> PyTree:
    """Variables of one of `POLICIES`, without values."""
    params = staff.language.params if name == "sft" else staff.policies[name].params
    return {"params": {part: params[part] for part in staff.language.params}}


def examined(
    model: GPT, token: Array, *, score: Score, prompt_length: int, end: int, sureness: float, greedily: bool = False
) -> Probe:
    """Probe: what each of `POLICIES` answers, by the checker, by the reward models, and beside the first.

    Args:
      model: as of `course`.
      token: `[N, P + A]` prompts, and right answers.
      score: as of `course`, and so are all others.
      prompt_length: P.
      end: of an answer.
      sureness: of the judge.
      greedily: whether each also says what it thinks likeliest.
    Returns:
      Of answers that are drawn, for each NAME: `NAME_score` and `NAME_exact`, mean score and share that is right;
      `NAME_divergence`, an estimate of KL(NAME || sft) in nats an answer; `NAME_reward` and `NAME_poor_reward`, what
      the reward models say, less what they say of the first; `NAME_win`, `NAME_win_low` and `NAME_win_high` against the
      first, as `measure.preferred.win_rate`; `NAME_greedy`, the share that is right of the likeliest.
    """
    num_tokens = token.shape[1] - prompt_length
    reward = rewarded_by(model.clone(num_values=1))
    draw, likeliest = (responding(model, num_tokens, end=end, choose=choose) for choose in (None, greedy))

    def seen(token, key, staff):
        prompt = jnp.asarray(token[:, :prompt_length])

        def of_one(inputs):
            key, variables = inputs
            texts = draw(key, variables, prompt)
            both = _stacked(variables, staff.language.variables)
            logits = jax.vmap(model.apply, (0, None))(both, texts.token[:, :-1])
            log_prob, before = (token_log_probs(of, texts.token) for of in logits)
            found = {
                "score": score(token, texts.answers(num_tokens)),
                "divergence": ((log_prob - before) * texts.mask).sum(1),
                **dict(zip(("reward", "poor_reward"), by_either(reward, staff, texts), strict=True)),
            }
            if greedily:
                said = likeliest(key, variables, prompt).answers(num_tokens)
                found |= {"greedy": 1.0 * (score(token, said) == 1), "said": said}
            return found

        variables = _stacked(*(speaking(staff, name) for name in POLICIES))
        return lax.map(of_one, (jax.random.split(key, len(POLICIES)), variables))

    def probe(token, key, staff):
        every, told = seen(token, key, staff), {}
        first = tree.take(every, 0)
        for i, name in enumerate(POLICIES):
            one = tree.take(every, i)
            if greedily:
                told |= {f"{name}_greedy": Mean.of(one["greedy"]), f"{name}_said": one["said"]}
            means = {"score": one["score"], "exact": one["score"] == 1, "divergence": one["divergence"]}
            means |= {by: one[by] - first[by] for by in ("reward", "poor_reward")}
            told |= _named(name, {key: Mean.of(value) for key, value in means.items()})
            told |= _named(name, win_rate(one["score"], first["score"])) if i else {}
        return told

    return Partial(probe, token)


def chosen_from(
    model: GPT, token: Array, *, score: Score, prompt_length: int, end: int, sureness: float, nums: Sequence[int]
) -> Probe:
    """Probe: the reward model by pairs of answers that it has not seen, and the best of n answers by it.

    Args:
      model: as of `examined`, and so are all others but the last.
      token: `[N, P + A]`.
      score: of an answer.
      prompt_length: P.
      end: of an answer.
      sureness: of the judge.
      nums: n, rising; the last gives the metrics.
    Returns:
      `accuracy` and `ece` of what the reward model foretells of a judge, on pairs that a judge tells apart;
      `poor_accuracy`; `best_score`, `best_exact` and `best_win` ... of the last n, and arrays `[n]` `best_of`, the
      mean scores, and `divergence`; and of ten bins `said` and `came`, how surely the first was to be chosen, and how
      often it was.
    """
    num_tokens, most = token.shape[1] - prompt_length, 2 * nums[-1]
    reward, draw = rewarded_by(model.clone(num_values=1)), responding(model, num_tokens, end=end)

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
            **_named("best", win_rate(last, scores[:, -1])),  # of those that it was not chosen from
            "best_of": jnp.stack([one.mean() for one in best.values()]),
            "best_divergence": best_of_divergence(jnp.asarray(nums)),
            "said": bins.confidence / bins.count,
            "came": bins.correct / bins.count,
        }

    return Partial(probe, token)


def _gaps(x: Array) -> Array:
    """`[N M / 2]` differences of the answers, two and two."""
    return (x[:, ::2] - x[:, 1::2]).ravel()
