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
from jax import Array

from adl.core import Key, Learner, Mean, Metrics, PyTree, over_seeds, tree
from adl.nn.lora import WithAdapters, unadapted
from adl.nn.transformer import GPT
from adl.sequence.language import language_model
from adl.sequence.preference import Answered, Tuned, compared, dpo, responding, reward_model, worth
from adl.sequence.rlhf import Rewarded, rlhf

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


def stretches(num_steps: int, *, following: float, comparing: float, doubting: float, pleasing: float) -> list[int]:
    """Steps of each of `STAGES`, one or more.

    Args:
      num_steps: of all together, 8 or more.
      following: share of them on demonstrations, in (0, 1), as are all others.
      comparing: on pairs of answers.
      doubting: share of these before the poor reward model stops.
      pleasing: by PPO. The rest is on the first texts.
    """
    follow, compare, please = (max(round(share * num_steps), 1) for share in (following, comparing, pleasing))
    few = max(round(doubting * compare), 1)
    read = max(num_steps - follow - compare - please - len(BRIEF), 1)
    return [read, follow, 1, few, 1, max(compare - few, 1), 1, please]


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
    rank: int = 0,
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
      rank: of the low-rank adapters by which all but the language model learn; 0: they learn whole.
      num_epochs: of PPO.
      num_minibatches: of PPO.
      axis: as in `core.descend`.
    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.1.
    """
    rewarding, pleasing = rewarding or tx, pleasing or tx
    own, valued = tuning(model, rank), tuning(model.clone(num_values=1), rank)
    num_tokens = model.max_length - prompt_length
    respond = responding(model, num_tokens, end=end)
    learns = language_model(model, tx, axis=axis)
    judges = reward_model(valued, rewarding, axis=axis)
    of_ppo = {"num_tokens": num_tokens, "end": end, "num_epochs": num_epochs, "num_minibatches": num_minibatches}
    ppo = rlhf(valued, pleasing, reward=rewarded_by(valued), beta=beta, axis=axis, **of_ppo)
    direct = dpo(own, pleasing, beta=beta, axis=axis)

    def init(key: Key, batch) -> Staff:
        keys = jax.random.split(key, 4)
        language, token = learns.init(keys[0], batch), batch["token"]
        reward = Learner.create(valued.init(keys[1], token), rewarding)
        policies = {name: Learner.create(valued.init(keys[2], token), pleasing) for name in ("ppo", "poor")}
        policies["dpo"] = Learner.create(own.init(keys[3], token), pleasing)
        return Staff(language, reward, tree.copy(reward.variables), tree.copy(policies))

    def starting(key: Key, params: PyTree, tx: optax.GradientTransformation) -> Learner:
        variables = {"params": tree.copy(params)}
        return Learner.create(valued.adapting(key, variables) if rank else variables, tx)

    def learn(key: Key, staff: Staff, batch):
        language, metrics = learns.step(key, staff.language, {name: batch[name] for name in ("token", "mask")})
        return staff._replace(language=language), metrics

    def judge(key: Key, staff: Staff, batch):  # the values are still as they were drawn
        keys = jax.random.split(key)
        params = {**staff.language.params, "values": staff.reward.params["values"]}
        policies = staff.policies | {"dpo": starting(keys[0], staff.language.params, pleasing)}
        return staff._replace(reward=starting(keys[1], params, rewarding), policies=policies), {}

    def doubt(key: Key, staff: Staff, batch):
        return staff._replace(poor=staff.reward.variables), {}

    def begin(key: Key, staff: Staff, batch):
        params = {**staff.language.params, "values": jax.tree.map(jnp.zeros_like, staff.reward.params["values"])}
        own = {name: starting(key, params, pleasing) for name in ("ppo", "poor")}
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
        return staff, under_name("reward", metrics) | under_name("dpo", told)

    def please(key: Key, staff: Staff, batch):
        by = {"ppo": staff.reward.variables, "poor": staff.poor}
        before = (Rewarded(staff.policies[name], staff.language.variables, judge) for name, judge in by.items())
        prompt = {"prompt": batch["token"][:, :prompt_length]}
        both, metrics = over_seeds(ppo, 2).step(key, tree_of_several(*before), prompt)
        after = {name: tree.take(both.learner, i) for i, name in enumerate(by)}
        told = {f"{name}_{metric}": tree.take(mean, i) for i, name in enumerate(by) for metric, mean in metrics.items()}
        return staff._replace(policies=staff.policies | after), told

    steps = (learn, learn, judge, compare, doubt, compare, begin, please)
    return Course(init, steps, lambda batch: batch["stage"][0])


def under_name(name: str, metrics: Metrics) -> dict[str, Mean]:
    """Metrics of somebody by this name."""
    return {f"{name}_{metric}": mean for metric, mean in metrics.items()}


def rewarded_by(model: GPT) -> Callable[[PyTree, Answered], Array]:
    """`reward(variables, texts) -> [B]` of a reward model."""
    return lambda variables, texts: worth(model.apply(variables, texts.token), texts.mask)


def tuning(model: GPT, rank: int) -> GPT | WithAdapters:
    """What learns of a network: itself, or, of a rank above 0, its adapters."""
    return WithAdapters(model, rank) if rank else model


def speaking(model: GPT, staff: Staff, name: str, *, rank: int = 0) -> PyTree:
    """Variables of one of `POLICIES`, without values or adapters."""
    learner = staff.language if name == "sft" else staff.policies[name]
    params = unadapted(tuning(model, rank), learner.variables)["params"]
    return {"params": {part: params[part] for part in staff.language.params}}


def tree_of_several(*trees: PyTree) -> PyTree:
    """Trees of one structure as one, along a new first axis."""
    return jax.tree.map(lambda *x: jnp.stack(x), *trees)
