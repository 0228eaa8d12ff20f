"""Handwritten digits, named by five networks at once: what the ensemble gains, and whether it knows what it does not.

Deep ensembles (Lakshminarayanan et al. 2017, arXiv:1612.01474): perceptrons that differ in their initial weights and
in the views that they train on, and predict by the mean of their probabilities. Digits that are turned further than any
view in training show how confidence falls where the networks have not been.

    python -m experiments.uncertainty
    python -m experiments.uncertainty --shift 0.5 --scale 0.1 --degrees 10

Expected of five ensembles: accuracy 0.970 (a member 0.966), negative log-likelihood 0.108 nats (0.122), Brier score
0.049 (0.056), calibration error 0.024 (0.022: no better). Turned by up to 60 degrees: calibration error 0.059 (0.099),
and confidence that falls with each 10 degrees, from 0.96 to 0.63, and further on no more. An ensemble takes a quarter
of a minute on 2 cores. The second command trains on views that leave the frame's edges without ink, as the data do:
digits on their side have theirs there, and confidence rises again, to 0.92 where 15 % are right.
"""

import functools
import itertools
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adl import data, run, show, supervised
from adl.core import BadInput, Key, Learner, Mean, Probe, ensemble, full_pass
from adl.measure import calibration
from adl.nn.mlp import MLP
from adl.uncertainty.ensemble import disagreement, mixture_log_prob, uncertainty

ANGLES = np.arange(0, 181, 10)  # degrees by which test pictures are turned
LEANING = ANGLES <= 60  # of these: before a digit lies on its side
SUBSETS = 60  # of the members, at most, that the figure shows for each size
SHOWN = (2, 5, 7)  # classes of which the first test picture is shown while it turns
SCORES = {"accuracy": "accuracy", "nll": "NLL (nats)", "brier": "Brier score", "ece": "calibration error"}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is one of the five ensembles that the claims are about."""

    dataset: str = "digits"  # TFDS name, with "image" and "label"
    num_steps: run.Count = 3000
    batch_size: run.Count = 128
    eval_every: run.Count = 250
    num_members: run.Count = 5  # networks M of the ensemble, >= 2
    hidden: tuple[int, ...] = (256, 256)  # widths of each network's hidden layers
    learning_rate: run.Positive = 3e-3  # of AdamW at the start, before a cosine to 0
    weight_decay: run.NonNegative = 0.1  # times the learning rate
    degrees: run.NonNegative = 20.0  # largest rotation of a view in training, either way
    scale: run.NonNegative = 0.3  # largest log magnification of a view along each axis, either way
    shift: run.NonNegative = 1.5  # largest shift of a view along each axis, in pixels, either way


UPRIGHT = "digits: 1,437 to train, all of the 360 by other writers to test; 5 ensembles of 5 perceptrons"
TURNED = f"{UPRIGHT}; test pictures turned by 0, 10, ..., {ANGLES[LEANING][-1]} degrees"
CLAIMS = (
    run.Claim(
        metric="test/accuracy",
        at_least=0.967,
        overrides={"num_seeds": 5},
        protocol=f"{UPRIGHT}; mean",
        reference="SVC with an RBF kernel 0.958, 3-NN 0.967, on the same split",
    ),
    run.Claim(
        metric="test/accuracy_gain",
        at_least=0.0,
        overrides={"num_seeds": 5},
        protocol=f"{UPRIGHT}; accuracy of the ensemble less that of its members on average; mean",
        reference="WRN-28-10 on CIFAR-10: 0.960 alone, 0.966 of four (uncertainty-baselines)",
    ),
    run.Claim(
        metric="test/nll_gain",
        at_least=0.01,
        overrides={"num_seeds": 5},
        protocol=f"{UPRIGHT}; negative log-likelihood of the members on average less that of the ensemble, nats; mean",
        reference="not below 0, by Jensen's inequality",
    ),
    run.Claim(
        metric="rotated/ece_gain",
        at_least=0.03,
        overrides={"num_seeds": 5},
        protocol=f"{TURNED}; calibration error (15 bins) of the members on average less that of the ensemble; worst",
        reference="WRN-28-10 on CIFAR-10: 0.023 alone, 0.010 of four (uncertainty-baselines)",
        reduce="worst",
    ),
    run.Claim(
        metric="rotated/rank_correlation",
        at_most=-0.95,
        overrides={"num_seeds": 5},
        protocol=f"{TURNED}; Spearman's, of the angle and the ensemble's mean confidence; worst",
        reference="-1: confidence falls all the way",
        reduce="worst",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (16,), "num_members": 3}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """An ensemble of perceptrons, its scores beside its members', and its answers to digits that are turned."""
    if cfg.num_members < 2:
        raise BadInput(f"--num_members {cfg.num_members}: it must be >= 2, or nobody can disagree")
    train, test = data.splits(cfg.dataset, "image", "label", data_dir=cfg.data_dir)
    model = nn.Sequential([flat, MLP((*cfg.hidden, train.num_classes), dtype=jnp.dtype(cfg.precision))])
    shape = optax.cosine_decay_schedule(1.0, cfg.num_steps)
    member = supervised.classification.classifier(
        model,
        optax.adamw(lambda step: cfg.learning_rate * shape(step), weight_decay=cfg.weight_decay),
        prepare=supervised.classification.views(
            data.image.unit,
            functools.partial(
                data.views.random_affine, degrees=cfg.degrees, scale=cfg.scale, shift=cfg.shift, shear=0.1
            ),
        ),
        axis=axis,
    )
    columns = test.take(np.arange(len(test)))
    label = jnp.asarray(columns["label"])

    def answers(angles: np.ndarray) -> Probe:
        """Logits `[M, A, N, K]` of all members for the test pictures, turned by each of A angles."""

        def measure(key: Key, learner: Learner, batch) -> dict[str, Array]:
            images = data.image.unit(batch["image"])
            views = jnp.stack([rotated(images, angle) for angle in angles])
            logits = jax.vmap(lambda params: model.apply({"params": params}, merged(views)))(learner.params)
            logits = logits.astype(jnp.float32).reshape(len(logits), *views.shape[:2], -1)
            return {"logits": jnp.moveaxis(logits, 2, 0)}

        seen = full_pass(measure, data.padded(test, 500), len(test))
        return lambda key, learner: {"logits": jnp.moveaxis(seen(key, learner)["logits"], 0, 2)}

    upright, turned = answers(np.zeros(1)), answers(ANGLES)

    def look(key: Key, learner: Learner) -> dict[str, Mean | Array]:
        logits = upright(key, learner)["logits"][:, 0]
        return compared(logits, label) | {"disagreement": Mean.of(disagreement(logits)), "logits": logits}

    def turn(key: Key, learner: Learner) -> dict[str, Mean | Array]:
        logits = turned(key, learner)["logits"]
        confidence = jnp.exp(mixture_log_prob(logits)).max(-1).mean(-1)
        leaning = merged(logits[:, LEANING], start=1)
        return compared(leaning, jnp.tile(label, LEANING.sum())) | {
            "rank_correlation": Mean.of(rank_correlation(ANGLES[LEANING], confidence[LEANING])),
            "logits": logits,
        }

    return run.Experiment(
        ensemble(member, cfg.num_members),
        data.shuffled(train, cfg.batch_size),
        probes={"test": look},
        final={"rotated": turn},
        figures=show.figures(
            loss=loss_figure,
            members=functools.partial(members_figure, label=label),
            reliability=functools.partial(reliability_figure, label=label),
            rotation=functools.partial(rotation_figure, **columns),
        ),
    )


def flat(image: Array) -> Array:
    """`[B, H W C]` pixels in a row."""
    return image.reshape(len(image), -1)


def merged(x: Array, *, start: int = 0) -> Array:
    """Axes `start` and `start + 1` as one."""
    return x.reshape(*x.shape[:start], -1, *x.shape[start + 2 :])


def rotated(images: Array, degrees: float) -> Array:
    """Images `[B, H, W, C]` turned counterclockwise about their centre."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    return data.views.affine(images, jnp.tile(matrix, (len(images), 1, 1)), jnp.zeros((len(images), 2)))


def compared(logits: Array, label: Array) -> dict[str, Mean]:
    """Scores of the mixture of members' logits `[M, N, K]`, of the members on average, and what the mixture gains."""
    together = calibration.scores(mixture_log_prob(logits), label)
    each = jax.vmap(calibration.scores, (0, None))(jax.nn.log_softmax(logits), label)
    members = {name: Mean(mean.total.sum(), mean.count.sum()) for name, mean in each.items()}
    signs = {"accuracy": 1, "nll": -1, "brier": -1, "ece": -1}
    gains = {name: sign * (together[name].value - members[name].value) for name, sign in signs.items()}
    return (
        together
        | {f"member_{name}": mean for name, mean in members.items()}
        | {f"{name}_gain": Mean.of(gain) for name, gain in gains.items()}
    )


def rank_correlation(x: Array, y: Array) -> Array:
    """`[]` Spearman's, in [-1, 1]: -1 where `y` `[N]` falls with `x` `[N]` all the way."""
    ranks = [jnp.argsort(jnp.argsort(values)).astype(jnp.float32) for values in (jnp.asarray(x), y)]
    return jnp.corrcoef(*ranks)[0, 1]


def loss_figure(outcome: run.Outcome) -> Figure:
    """Loss on training views and on the test split, of the members and of the ensemble."""
    return show.curves(
        {
            "members, training views": "train/loss",
            "members, test": "test/member_nll",
            "ensemble, test": "test/nll",
        },
        y_label="negative log-likelihood (nats)",
        title="Loss",
        y_scale="log",
    )(outcome)


def members_figure(outcome: run.Outcome, *, label: Array) -> Figure:
    """Test scores of ensembles of 1 to M of the members: of each choice, and their mean."""
    log_prob = jax.nn.log_softmax(outcome.arrays["test/logits"])
    score = jax.vmap(lambda chosen: calibration.scores(mixture_log_prob(chosen), label))
    sizes = np.arange(1, len(log_prob) + 1)
    found = [
        {name: np.asarray(mean.value) for name, mean in score(log_prob[choices(len(sizes), n)]).items()} for n in sizes
    ]
    figure, axes = show.panel(1, 4, size=(2.2, 2.4))
    for ax, (name, text) in zip(axes[0], SCORES.items(), strict=True):
        for size, scores in zip(sizes, found, strict=True):
            ax.plot(np.full(len(scores[name]), size), scores[name], ".", color="0.7", markersize=4)
        ax.plot(sizes, [scores[name].mean() for scores in found], color=show.COLORS[0], marker="o", markersize=3.5)
        ax.set(xlabel="members", title=text)
        ax.set_xticks(sizes[:: -(-len(sizes) // 7)])
    figure.suptitle(f"{len(label):,} test pictures; grey: choices of members, blue: their mean", fontsize=9)
    return figure


def choices(num_members: int, size: int) -> np.ndarray:
    """`[S, size]` subsets of the members: all of them, or `SUBSETS` at random."""
    if math.comb(num_members, size) <= SUBSETS:
        return np.array(list(itertools.combinations(range(num_members), size)))
    return np.random.default_rng(size).random((SUBSETS, num_members)).argsort(1)[:, :size]


def reliability_figure(outcome: run.Outcome, *, label: Array) -> Figure:
    """Accuracy for each confidence, of a member and of the ensemble, for pictures upright and turned."""
    leaning = outcome.arrays["rotated/logits"][:, LEANING]
    seen = {
        "upright": (outcome.arrays["test/logits"], label),
        f"turned by 0 to {ANGLES[LEANING][-1]}°": (merged(leaning, start=1), jnp.tile(label, LEANING.sum())),
    }
    figure, axes = show.panel(2, 2, size=(2.9, 2.9))
    for row, (views, (logits, truth)) in zip(axes, seen.items(), strict=True):
        probability = {"a member": jax.nn.softmax(logits[0]), "the ensemble": jnp.exp(mixture_log_prob(logits))}
        for ax, (who, forecast), color in zip(row, probability.items(), (show.COLORS[1], show.COLORS[0]), strict=True):
            bins = calibration.reliability(forecast, truth)
            reliability_panel(ax, bins, color)
            error = calibration.expected_calibration_error(bins)
            ax.set_title(f"{who}, {views}: ECE {error:.3f}", fontsize=8)
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy; bars: share of pictures")
    for ax in axes[-1]:
        ax.set_xlabel("confidence")
    return figure


def reliability_panel(ax: Axes, bins: calibration.Bins, color: str) -> None:
    """Accuracy over confidence, bin by bin with one standard error; and how many pictures each bin holds."""
    count, confidence, correct = map(np.asarray, bins)
    edges = np.arange(len(count)) / len(count)
    ax.bar(edges, count / count.sum(), 1 / len(count), align="edge", color="0.88", edgecolor="white", linewidth=0.5)
    ax.plot([0, 1], [0, 1], color="0.5", linewidth=0.8, linestyle=":")
    some = count > 0
    x, y = confidence[some] / count[some], correct[some] / count[some]
    # Of the accuracy that the confidence promises: where all of a few are right the sample's own would be 0.
    error = np.sqrt(x * (1 - x) / count[some])
    ax.errorbar(x, y, error, fmt="o", color=color, markersize=4, elinewidth=0.9)
    ax.set(xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")


def rotation_figure(outcome: run.Outcome, *, image: np.ndarray, label: np.ndarray) -> Figure:
    """What becomes of accuracy, confidence and the parts of the entropy while pictures turn, and some of these."""
    logits = outcome.arrays["rotated/logits"]
    together = np.exp(mixture_log_prob(logits))
    answers = {"ensemble": together[None], "member": np.asarray(jax.nn.softmax(logits))}
    figure, axes = show.panel(3, 1, size=(8.8, 2.1))
    top, middle, bottom = axes[:, 0]
    for (who, probability), color in zip(answers.items(), show.COLORS, strict=False):
        confidence = probability.max(-1).mean((0, -1))
        accuracy = (probability.argmax(-1) == label).mean((0, -1))
        top.plot(ANGLES, confidence, color=color, marker="o", markersize=2.5, label=f"confidence, {who}")
        top.plot(ANGLES, accuracy, color=color, linestyle="--", label=f"accuracy, {who}")
    top.set(ylim=(0, 1.02), ylabel="mean over pictures", title=f"{len(label):,} test pictures, turned")
    _, aleatoric, epistemic = (np.asarray(part).mean(-1) for part in uncertainty(logits))
    parts = {"aleatoric:\nmembers are unsure": aleatoric, "epistemic:\nmembers disagree": epistemic}
    middle.stackplot(ANGLES, *parts.values(), labels=parts, colors=(show.COLORS[5], show.COLORS[4]))
    middle.set(ylabel="entropy (nats)", ylim=(0, None))
    shown = [int(np.flatnonzero(label == digit)[0]) for digit in SHOWN if (label == digit).any()]
    strip(bottom, data.image.unit(jnp.asarray(image[shown])), together[:, shown])
    bottom.set(xlabel="rotation (degrees), and the ensemble's answer with its confidence")
    for ax in axes[:, 0]:
        ax.set(xlim=(ANGLES[0] - 5, ANGLES[-1] + 5), xticks=ANGLES[::3])
    for ax in axes[:2, 0]:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    axes[0, 0].get_gridspec().set_height_ratios([1, 0.9, 0.8])
    return figure


def strip(ax: Axes, images: Array, probability: np.ndarray) -> None:
    """Pictures `[R, H, W, C]` in rows, at each angle below its place on the axis, with the answers `[A, R, K]`."""
    width = 0.9 * (ANGLES[1] - ANGLES[0])
    for angle, answer in zip(ANGLES, probability, strict=True):
        for row, view in enumerate(np.clip(rotated(images, angle), 0, 1)):
            place = (angle - width / 2, angle + width / 2, -1.5 * row - 1, -1.5 * row)
            ax.imshow(1 - view.repeat(3 // view.shape[-1], -1), extent=place, aspect="auto")
            text = f"{answer[row].argmax()} {answer[row].max():.0%}"
            ax.text(angle, -1.5 * row - 1.05, text, ha="center", va="top", fontsize=5.5)
    ax.set(ylim=(-1.5 * len(images), 0.1), yticks=[])
    ax.spines["left"].set_visible(False)


if __name__ == "__main__":
    run.main(__name__)
