"""Which way a thing goes: networks that see clips, beside one that sees a single frame of them.

Convolutions in time (Tran et al. 2015, arXiv:1412.0767; (2+1)-D: 2018, arXiv:1711.11248), frame features and an LSTM
(Donahue et al. 2015, arXiv:1411.4389), attention along space and time in turn (Bertasius et al. 2021,
arXiv:2102.05095): as many as `--models` names learn side by side, of the same clips. What they have learned is tried on
clips that are faster, slower, played backwards, shuffled or frozen.

    python -m experiments.vision.video
    >>> probability = run.load("runs/vision/video").predict(clips)
    python -m experiments.vision.video --models conv3d r2plus1d lstm attention frame --num_seeds 3
    python -m experiments.vision.video --labels frame

Expected of (2+1)-D convolutions, one seed: 0.984 of the test clips, 0.98 of these backwards, 0.91 twice as fast, 0.82
half as fast, 0.43 with shuffled frames; of one frame alone 0.246, chance; 3 minutes on 2 cores that others used too.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from jax import Array

from adl import data, run, show
from adl.core import BadInput, Key, beside, optimizer
from adl.supervised.classification import classifier
from adl.vision.clips import changes, clips_of, frames, judged_clips, labelled_clips
from adl.vision.video import NAMES, Kind, clip_net


@dataclass(frozen=True)
class Config(run.Averaged, run.Parts, run.Config):
    """The default is one of the runs that the first claim is about."""

    dataset: str = "scenes/clips"  # TFDS name, or path of an .npz, with "clip" and "label"
    num_steps: run.Count = 1000
    batch_size: run.Count = 32
    eval_every: run.Count = 500
    best: str = "test/loss"  # of the first of the models
    models: tuple[Kind, ...] = ("r2plus1d", "frame")  # networks, side by side on the same clips
    labels: Literal["clip", "frame"] = "clip"  # what is told: which way the clip goes, or what each frame does
    channels: run.Widths = (32, 64)  # of the convolutions' stages, each at half the last's resolution
    width: Annotated[run.Count, run.multiple_of(8)] = 64  # of the LSTM and of the transformer
    learning_rate: run.Positive = 4e-3  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.05  # of kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts


CLIPS = "scenes/clips: 4,000 to learn from, all 1,000 test clips of 8 frames of 32 x 32; mean of 3 seeds"
CLAIMS = (
    run.Claim(
        metric="test/r2plus1d_accuracy",
        at_least=0.95,
        overrides={"num_seeds": 3},
        protocol=f"{CLIPS}; (2+1)-D convolutions, which of four ways the moving thing goes",
        reference="chance 0.25; the frame in the middle alone, in the same run, is there",
    ),
    run.Claim(
        metric="test/frame_accuracy",
        at_most=0.3,
        overrides={"num_seeds": 3},
        protocol=f"{CLIPS}; the frame in the middle alone",
        reference="chance 0.25: in that frame a thing is wherever it goes",
    ),
)
SMOKE = {
    "dataset": "scenes/clips_sample",
    "models": ("r2plus1d",),
    "num_steps": 2,
    "batch_size": 8,
    "channels": (8,),
    "width": 8,
}


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """Clips to learn from, and to test."""
    if not cfg.models or len(set(cfg.models)) < len(cfg.models):
        raise BadInput(f"--models {' '.join(cfg.models)}: one or several of {', '.join(NAMES)}, each once")
    if wrong := [width for width in cfg.channels if width % 8]:
        raise BadInput(f"--channels {' '.join(map(str, cfg.channels))}: {wrong[0]} is no multiple of 8")
    return clips_of(cfg.dataset, of=cfg.parts, labels=cfg.labels, **cfg.source)


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """The networks side by side, and what they say of test clips, as they are and changed."""
    train, test = loaded
    names, first, shape = train.class_names, cfg.models[0], test.example_shape
    of = {"labels": cfg.labels, "channels": cfg.channels, "width": cfg.width, "dtype": jnp.dtype(cfg.precision)}
    models = {kind: clip_net(kind, train.num_classes, **of) for kind in cfg.models}
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=rate, clip=1.0, mask=optimizer.matrices)
    changed = changes(names, cfg.labels)

    def say(key: Key, state, clip: Array) -> Array:
        logits = models[first].apply(state[first].averaged, frames(clip))
        return logits if cfg.labels == "clip" else jax.nn.softmax(logits).reshape(len(clip), -1)

    each = [f"frame {t}: {name}" for t in range(shape[0]) for name in names]
    gives = run.Choice(names) if cfg.labels == "clip" else run.Cells(each)
    return run.Experiment(
        beside({kind: classifier(model, tx, prepare=labelled_clips, axis=axis) for kind, model in models.items()}),
        data.shuffled(train, cfg.batch_size),
        probes={"test": judged_clips(models, test)},
        final={name: judged_clips(models, test, change) for name, change in changed.items()},
        offers={**models, "predict": run.Offer(say, run.Films(shape), gives)},
        figures=show.figures(
            learning=show.curves(
                {NAMES[kind]: f"test/{kind}_accuracy" for kind in models},
                y_label="accuracy",
                title=f"Test clips: which of {len(names)} classes, of a {cfg.labels}",
                references={"chance {:.2f}": 1 / len(names)},
            ),
            models=show.accuracy_by_change(
                {kind: NAMES[kind] for kind in models}, ["test", *changed], chance=1 / len(names)
            ),
            strips=show.filmstrips(**test.arrays, probability=f"test/{first}_probability", names=names),
            confusion=show.clip_confusion(f"test/{first}_probability", label=test.arrays["label"], names=names),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
