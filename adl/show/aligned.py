"""Policies that please a reward: what it costs them, whether it is what was meant, and how well it was known."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.style import COLORS, Draw, panel, styled


def frontier(names: Mapping[str, tuple[str, str]], *, probe: str, last: str, judge: str) -> Draw:
    """Three panels: score and reward over the divergence, of policies as they learn; and the reward model's forecasts.

    A policy's line begins where its divergence is 0, and has a dot at each look. What is to be seen: a policy that
    pleases a good reward model rises in both panels; one that pleases a poor one rises in the second alone.

    Args:
      names: what the figure calls each policy, and the reward that it pleases, by the NAME of the metrics
        "probe/NAME_divergence", "probe/NAME_score" and "probe/NAME_REWARD", of several runs their means.
      probe: that looked at them.
      last: the probe with arrays "best_of" and "best_divergence" `[n]`, of the best of n answers, and "said" and "came"
        `[10]`, how surely an answer was to be chosen, and how often it was.
      judge: what the figure calls him who chose.
    Returns:
      `draw(outcome)`.
    """

    @styled
    def draw(outcome: Outcome) -> Figure:
        figure, axes = panel(1, 3, size=(3.0, 2.9))
        score, reward, said = axes[0]
        keys = {}
        for (name, (called, by)), color in zip(names.items(), COLORS, strict=False):
            x, y, z = (_mean(outcome, f"{probe}/{name}_{what}") for what in ("divergence", "score", by))
            (keys[called],) = score.plot(x, y, color=color, marker="o", markersize=2.5)
            reward.plot(x, z, color=color, marker="o", markersize=2.5)
        best = {"color": "0.3", "marker": "s", "markersize": 3.5, "linestyle": ":"}
        (keys["best of n"],) = score.plot(
            *(outcome.arrays[f"{last}/best_{what}"] for what in ("divergence", "of")), **best
        )
        score.set(xlabel="KL from fine-tuned, nats an answer", ylabel="checker's score", title="What was meant")
        reward.set(xlabel="KL from fine-tuned, nats an answer", ylabel="its reward, more than at first")
        reward.set_title("What was rewarded")
        said.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
        said.plot(*(outcome.arrays[f"{last}/{what}"] for what in ("said", "came")), color=COLORS[0], marker="o", ls="")
        said.set(xlabel="said P(first chosen)", ylabel=f"share that {judge} chose", aspect="equal")
        said.set_title("What the reward model knows")
        figure.legend(keys.values(), keys, loc="outside lower center", ncols=len(keys))
        return figure

    return draw


def _mean(outcome: Outcome, metric: str) -> np.ndarray:
    values = outcome.curve(metric)[1]
    return values.reshape(len(values), -1).mean(1)
