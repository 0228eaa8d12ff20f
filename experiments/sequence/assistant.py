r"""From a language model to an assistant: pretraining, fine-tuning, a reward model, PPO and DPO, in one command.

Ouyang et al. 2022, arXiv:2203.02155; PPO at a price of KL from the reference: Ziegler et al. 2019, arXiv:1909.08593;
DPO: Rafailov et al. 2023, arXiv:2305.18290. A small GPT reads instructions (`data.instructions`) whose answers are
often wrong, then demonstrations, of which some are. A judge who knows the checker's score then chooses between two of
its answers, by the odds of Bradley and Terry; a reward model and DPO learn of these pairs, and of few of them a poor
reward model. PPO pleases either reward model, at the same price as DPO's. All is measured by the checker on
compositions of instructions that no stage has seen. Stages are parts of one run, which resumes wherever it stopped.

    python -m experiments.sequence.assistant
    >>> answer = run.load("runs/sequence/assistant").generate("sort then next : 3 1 4")
    python -m experiments chat runs/sequence/assistant

Expected: the reward model is right about 0.64 of the pairs that its judge tells apart, and 0.38 of the answers of the
fine-tuned model are wholly right. Nothing that learns of preferences is better than that beyond luck: PPO wins 0.518
(0.484 to 0.553) against it, DPO 0.507 (0.470 to 0.544), best of eight 0.48.
One seed; 35 minutes of a share of two cores that a test suite used.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np

from adl import run, show
from adl.core import optimizer, staged
from adl.data import instructions
from adl.data.instructions import Stretch
from adl.nn.transformer import GPT
from adl.sequence import assistant, examination
from adl.sequence.preference import responding


@dataclass(frozen=True)
class Config(run.Optimised, run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 8000  # of all stages together
    following: run.Share = 0.1  # of the steps on demonstrations
    comparing: run.Share = 0.1  # on pairs of answers
    doubting: run.Share = 0.03  # of these before the poor reward model stops
    pleasing: run.Share = 0.1  # by PPO
    part: Literal["validation", "test"] = "test"  # which of the compositions that are held out are asked
    batch_size: run.Split = 64  # instructions a step; PPO takes halves of them
    eval_every: run.Count = 500
    longest: Annotated[run.Count, run.at_most(9)] = 4  # digits that are given
    misread: run.Fraction = 0.2  # share of the first texts whose answers have a mistake
    mistaken: run.Fraction = 0.2  # share of the demonstrations that have one
    sureness: run.Positive = 10.0  # of the judge: log-odds of an answer whose score is larger by 1
    beta: run.Positive = 0.5  # price in log-odds of a nat of KL(policy || fine-tuned)
    lora: run.Natural = 0  # rank of the adapters by which all tune who come after the demonstrations; 0: they tune all
    num_layers: run.Count = 2  # of the network
    num_heads: run.Count = 4  # of its attention, a divisor of the width
    width: run.Count = 64  # of its embeddings and layers
    num_tested: run.Several = 300  # instructions
    learning_rate: run.Positive = 3e-3  # of the language model at its height; a cosine takes it to a tenth
    weight_decay: run.NonNegative = 0.1  # of its matrices
    reward_rate: run.Positive = 1e-3  # learning rate of the reward models
    policy_rate: run.Positive = 3e-4  # of PPO and DPO


PROTOCOL = "300 instructions of 14 compositions that no stage has seen, answers drawn from the model; one seed; "
CLAIMS = (
    run.Claim(
        metric="test/sft_exact",
        at_least=0.32,
        protocol=f"{PROTOCOL}the fine-tuned model: share of answers wholly right",
        reference="PPO 0.390 and DPO 0.383 in the same run, no better beyond luck",
        long=True,
    ),
    run.Claim(
        metric="judge/accuracy",
        at_least=0.58,
        protocol=f"{PROTOCOL}reward model, pairs that the judge tells apart",
        reference="0.5 by chance",
        long=True,
    ),
)
SMOKE = {"num_steps": 16, "following": 0.1, "comparing": 0.4, "doubting": 0.4, "pleasing": 0.3, "batch_size": 16}
SMOKE |= {"longest": 3, "num_layers": 1, "num_heads": 2, "width": 16, "num_tested": 8}
NAMES = {"ppo": ("PPO", "reward"), "poor": ("PPO, poor reward model", "poor_reward"), "dpo": ("DPO", "reward")}
CALLED = {"sft": "fine-tuned"} | {name: called for name, (called, _) in NAMES.items()}


def load(cfg: Config) -> np.ndarray:
    """Instructions whose words stand together in no lesson."""
    return instructions.exam(cfg.part, cfg.num_tested, cfg.longest).arrays["token"]


def build(cfg: Config, loaded: np.ndarray, axis: str | None) -> run.Experiment:
    """Everybody's network, what they learn of, and how they do on what they have not seen."""
    prompt, room = cfg.longest + instructions.AROUND, cfg.longest + 1
    of_model = {"position": "rotary", "dtype": jnp.dtype(cfg.precision)}
    model = GPT(len(instructions.WORDS), prompt + room, cfg.num_layers, cfg.num_heads, cfg.width, **of_model)
    shares = {name: getattr(cfg, name) for name in ("following", "comparing", "doubting", "pleasing")}
    first, *others = assistant.stretches(cfg.num_steps, **shares)
    plan = [Stretch(first, cfg.misread, answers_only=False), *(Stretch(n, cfg.mistaken) for n in others)]
    shape = optimizer.cosine(first + others[0], warmup=100, end=0.1)
    tx = optimizer.adam(**cfg.adam, shape=shape, clip=1.0, b2=0.99, mask=optimizer.matrices)
    rates = {"rewarding": cfg.reward_rate, "pleasing": cfg.policy_rate}
    later = {name: optimizer.adam(rate, optimizer.warm_up(20), clip=1.0) for name, rate in rates.items()}
    of = {"score": instructions.score, "prompt_length": prompt, "end": instructions.END}
    of |= {"sureness": cfg.sureness, "rank": cfg.lora}
    respond = responding(model, room, end=instructions.END)

    def say(key, state, prompt):
        return respond(key, assistant.speaking(model, state, "ppo", rank=cfg.lora), prompt).answers(room)

    given = partial(instructions.prompt_of, longest=cfg.longest)
    words = run.Text(given, lambda tokens: f"{instructions.in_words(tokens)} .".strip())
    return run.Experiment(
        staged(*assistant.course(model, tx, **of, **later, beta=cfg.beta, axis=axis)),
        instructions.Lessons(cfg.batch_size, cfg.longest, plan),
        probes={"test": examination.policies_examined(model, loaded, **of)},
        final={"judge": examination.chosen_from(model, loaded, **of, nums=(1, 2, 4, 8))},
        offers={"model": model, "generate": run.Offer(say, words, words)},
        figures=show.figures(
            frontier=show.frontier(NAMES, probe="test", last="judge", judge="the judge"),
            learning=show.curves(
                {called: f"test/{name}_exact" for name, called in CALLED.items()},
                y_label="share of answers wholly right",
                title="Compositions that were held out",
            ),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
