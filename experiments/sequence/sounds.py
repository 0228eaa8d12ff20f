"""Sounds by name: spoken syllables and digits from waves and from spectra, and music by its style.

A network of gated recurrent units (Cho et al. 2014, arXiv:1406.1078) reads log-mel frames, of which some bands and
times are hidden in training (Park et al. 2019, arXiv:1904.08779); convolutions read the wave itself (Dai et al. 2017,
arXiv:1610.00087). Beside them softmax regression on the means and deviations of the bands, which knows no order in
time. The default sets are synthesised (`data.sounds`): syllables in rising and falling tones, with speakers held out;
pieces of music in seven styles.

    python -m experiments.sequence.sounds
    >>> probability = run.load("runs/sequence/sounds").predict(sounds)
    python -m experiments.sequence.sounds --dataset free_spoken_digit
    python -m experiments.sequence.sounds --dataset sounds/styles --seconds 4 --window 0.064 --hop 0.032
    python -m experiments.sequence.sounds --dataset ./genres --seconds 10 (genres/CLASS/*.wav, as GTZAN's)

Expected, one seed: of syllables after 250 steps 0.973 of the test, 0.965 of other speakers, where regression has 0.45
and 0.48; of styles after 250 steps 0.996, regression 0.55; of digits after 1,500 steps 0.997 by spectra, 0.970 by the
wave, regression 0.80. A minute or two each on 2 cores that others used, ten of the digits.
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from adl import data, run, show
from adl.core import BadInput, Key, beside, optimizer
from adl.data import sounds as synthesised
from adl.sequence import sounds
from adl.supervised.classification import classifier


@dataclass(frozen=True)
class Config(run.Averaged, run.Parts, run.Config):
    """The first claims are about a run that is shorter than the default."""

    dataset: str = "sounds/syllables"  # TFDS name, or path, with "audio" int16 and "label"
    num_steps: run.Count = 600
    batch_size: run.Count = 32
    eval_every: run.Count = 200
    models: tuple[sounds.Kind, ...] = ("rnn", "cnn", "linear")  # that learn side by side, of the same batches
    seconds: run.Positive = 0.8  # of each sound, the rest of longer ones is left out
    window: run.Positive = 0.032  # seconds of a frame of the spectrum
    hop: run.Positive = 0.016  # seconds from one frame to the next
    num_bands: run.Count = 40  # in mel
    width: run.Count = 64  # of the two recurrent layers, in either direction
    learning_rate: run.Positive = 3e-3  # of AdamW: the peak, after a tenth of the run, before a cosine to 0
    weight_decay: run.NonNegative = 0.01  # of kernels, times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts
    dropout: run.Rate = 0.2  # of what layers see
    hidden: run.Rate = 0.3  # of bands and of frames, the most that one mask hides in training
    noise: run.NonNegative = 0.1  # in training, its largest deviation as a share of the sound's
    shift: run.Rate = 0.1  # in training, the largest delay as a share of all seconds


SPOKEN = "sounds/syllables: 1,600 to learn from, ten syllables with tones, 8 speakers; {}; one seed"
FLAT = "chance 0.1; regression on means and deviations of the bands, in the same run, hears no order"
QUICK = {"models": ("rnn", "linear"), "num_steps": 250}
DIGITS = {"dataset": "free_spoken_digit", "num_steps": 1500}
OFFICIAL = "Free Spoken Digit: 2,700 to learn from, all 300 of the official test, takes 0 to 4; {}; one seed"
LOGISTIC = {"reference": "logistic regression on spectra 0.947", "needs": ("data free_spoken_digit",)}
MUSIC = {"dataset": "sounds/styles", **QUICK, "seconds": 4.0, "window": 0.064, "hop": 0.032}
STYLES = "sounds/styles: 840 pieces of four seconds to learn from, all 280 of the test; one seed"
CLAIMS = (
    run.Claim("test/rnn_accuracy", SPOKEN.format("400 takes of the same 8"), QUICK, at_least=0.955, reference=FLAT),
    run.Claim("others/rnn_accuracy", SPOKEN.format("400 takes of 8 others"), QUICK, at_least=0.945, reference=FLAT),
    run.Claim("test/rnn_accuracy", OFFICIAL.format("log-mel frames"), DIGITS, at_least=0.98, **LOGISTIC),
    run.Claim("test/cnn_accuracy", OFFICIAL.format("the wave"), DIGITS, at_least=0.95, **LOGISTIC),
    run.Claim("test/rnn_accuracy", STYLES, MUSIC, at_least=0.985, reference="chance 0.14; the regression, as above"),
)
SMOKE = {"dataset": "sounds/syllables_sample", "num_steps": 2, "batch_size": 8, "width": 4, "num_bands": 8}
SMOKE |= {"seconds": 0.2, "hop": 0.032, "models": ("rnn", "linear")}


def load(cfg: Config) -> synthesised.SoundSplits:
    """Sounds to learn from, and to test."""
    if not cfg.models or len(set(cfg.models)) < len(cfg.models):
        raise BadInput(f"--models {' '.join(cfg.models)}: one or several of {', '.join(sounds.NAMES)}, each once")
    return synthesised.sounds_of(cfg.dataset, of=cfg.parts, seconds=cfg.seconds, **cfg.source)


def build(cfg: Config, loaded: synthesised.SoundSplits, axis: str | None) -> run.Experiment:
    """The networks side by side, and what they say of all test sounds."""
    train, test, others, rate = loaded
    names, first, label = train.class_names, cfg.models[0], test.arrays["label"]
    of = {"rate": rate, "window": cfg.window, "hop": cfg.hop, "num_bands": cfg.num_bands, "width": cfg.width}
    of |= {"dropout": cfg.dropout, "hidden": cfg.hidden, "dtype": jnp.dtype(cfg.precision)}
    models = {kind: sounds.hearing(kind, train.num_classes, **of) for kind in cfg.models}
    shape = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    tx = optimizer.adam(**cfg.adam, shape=shape, clip=1.0, mask=optimizer.matrices)
    prepare = sounds.heard(noise=cfg.noise, shift=cfg.shift)

    def say(key: Key, state, x: Array) -> Array:
        return models[first].apply(state[first].averaged, x)

    takes = run.Sounds(test.arrays["audio"].shape[1], rate)
    return run.Experiment(
        beside({kind: classifier(model, tx, prepare=prepare, axis=axis) for kind, model in models.items()}),
        data.shuffled(train, cfg.batch_size),
        probes={"test": sounds.judged_sounds(models, test)},
        final={"others": sounds.judged_sounds(models, others)} if others else {},
        offers={**models, "predict": run.Offer(say, takes, run.Choice(names))},
        figures=show.figures(
            learning=show.curves(
                {sounds.NAMES[kind]: f"test/{kind}_accuracy" for kind in models},
                y_label="accuracy",
                title=f"Test sounds of {cfg.dataset}, {train.num_classes} classes",
                references={"chance {:.2f}": 1 / train.num_classes},
            ),
            confusion=show.of(show.confusion, f"test/{first}_probability", label=label, names=names, noun="sounds"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
