"""Music in four voices, foreseen frame by frame, and composed.

An LSTM remembers what has sounded; of the next frame it gives every key by itself, each key given those below it (the
RNN-NADE of Boulanger-Lewandowski et al. 2012, arXiv:1206.6392), or each voice given those above it. Beside them are
logistic regression on two frames, and each key as often as in training, where pieces are moved by up to three
semitones. The default are songs by a grammar of chords (`data.music`), with the columns of both Bach sets.

    python -m experiments.sequence.chorales
    >>> notes = run.load("runs/sequence/chorales").sample(2)
    python -m experiments.sequence.chorales --dataset jsb_chorales --models independent nade logistic
    python -m experiments.sequence.chorales --dataset jsb_chorales_satb --models voices --steps_a_quarter 4

Expected, one seed: songs after 200 steps 2.69 nats a frame by voices (12.40 by frequencies); Bach's voices after 200
steps 2.86 (11.53), half a minute each and as much to compile. Of his keys, each by
itself, 8.58 after 350 steps, by the NADE 7.30 after 250 (11.06); the claims are about more steps.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import Algorithm, BadInput, Key, beside, optimizer
from adl.data import music
from adl.data.music.grammar import VOICES
from adl.measure.levels import known
from adl.run.midi import midi_file
from adl.sequence import frames
from adl.supervised.regression import fit


@dataclass(frozen=True)
class Config(run.Averaged, run.Parts, run.Config):
    """The first claim is about a run that is shorter than the default."""

    dataset: str = "part_songs"  # TFDS name, or path, with "piano_roll" [T, 88] or "notes" [T, 4], or both
    num_steps: run.Count = 600
    batch_size: run.Count = 32  # pieces
    eval_every: run.Count = 250
    models: tuple[frames.Kind, ...] = ("voices", "nade", "independent", "logistic")  # side by side
    excerpt: run.Count = 64  # frames of a piece that a step sees, from anywhere in it
    moved: Annotated[run.Natural, run.at_most(5)] = 3  # semitones, either way, by which excerpts are moved at most
    width: run.Count = 150  # of the LSTM
    num_hidden: run.Count = 100  # of what ties the notes of a frame to each other
    dropout: run.Rate = 0.2  # of the LSTM's outputs
    learning_rate: run.Positive = 1e-2  # of Adam: the peak, after 50 steps, before a cosine to 0
    ema: run.Rate = 0.99  # decay of the parameter average, which predicts
    num_composed: run.Count = 4  # pieces that are drawn at the end
    length: run.Count = 64  # frames of each
    steps_a_quarter: run.Count = 2  # frames of a quarter note, as the set has them, for the MIDI file
    tempo: run.Positive = 80.0  # quarter notes a minute, in the MIDI file


FRAMES = "JSB chorales: all frames of all 77 test pieces, nats a frame over 88 keys; the 229 transposed; one seed"
BACH = {"dataset": "jsb_chorales", "models": ("independent", "nade", "logistic"), "num_steps": 1500}
LSTM = "marginal frequencies 11.06, logistic regression on two frames 8.86; Bai et al. 2018: LSTM 8.45, TCN 8.10"
NADE = "Boulanger-Lewandowski et al. 2012: RNN-NADE 5.56 by Hessian-free descent, RNN-RBM 6.27"
QUICK = {"models": ("voices",), "num_steps": 200}
SONGS = "part_songs, all frames of the 77 test songs, nats a frame; one seed"
VOICED = "JSB chorales in four voices, sixteenths: nats a frame, all 77 test pieces; one seed"
SATB = {"dataset": "jsb_chorales_satb", **QUICK, "steps_a_quarter": 4}
ONE, OTHER = {"needs": ("data jsb_chorales",)}, {"needs": ("data jsb_chorales_satb",)}
CLAIMS = (
    run.Claim("test/voices_nats", SONGS, QUICK, at_most=2.78, reference="each key by its frequency: 12.40"),
    run.Claim("test/independent_nats", FRAMES, BACH, at_most=8.40, reference=LSTM, **ONE),
    run.Claim("test/nade_nats", FRAMES, BACH, at_most=6.5, reference=NADE, **ONE),
    run.Claim("test/voices_nats", VOICED, SATB, at_most=2.95, reference="each key by its frequency: 11.53", **OTHER),
)
SMOKE = {"num_steps": 2, "batch_size": 8, "width": 4, "num_hidden": 4, "excerpt": 8, "length": 3, "num_composed": 1}
SMOKE |= {"models": ("voices",)}


def load(cfg: Config) -> music.Songs:
    """Pieces to learn from, and to test."""
    if not cfg.models or len(set(cfg.models)) < len(cfg.models):
        raise BadInput(f"--models {' '.join(cfg.models)}: one or several of {', '.join(frames.NAMES)}, each once")
    pieces = music.pieces_of(cfg.dataset, of=cfg.parts, **cfg.source)
    if "voices" in cfg.models and "voices" not in pieces.train.names:
        raise BadInput(f"--models voices: {cfg.dataset} does not tell voices apart; --models nade does without")
    return pieces


def build(cfg: Config, loaded: music.Songs, axis: str | None) -> run.Experiment:
    """The models side by side, how well they foresee test pieces, and what the first composes."""
    models, first = networks(cfg, loaded), cfg.models[0]
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=50), clip=1.0)
    compose = frames.composer(models[first], first, num=cfg.num_composed, length=cfg.length)
    notes, column = functools.partial(music.as_notes, lowest=loaded.lowest), frames.column_of(first)
    song = loaded.test.arrays[column][0, 1 : loaded.test.arrays["length"][0] + 1][: cfg.length]
    names = VOICES if column == "voices" else ()

    def learner(kind: frames.Kind) -> Algorithm:
        prepare = frames.excerpts(frames.column_of(kind), length=cfg.excerpt, moved=cfg.moved)
        return fit(models[kind], tx, loss=frames.surprise, prepare=prepare, axis=axis)

    def sing(key: Key, state) -> Array:
        return notes(compose(key, state)["frame"][0]).astype(jnp.float32)

    def written(outcome: run.Outcome, path: Path) -> None:
        found = notes(outcome.arrays["composed/frame"][0])
        path.write_bytes(midi_file(found, steps=cfg.steps_a_quarter, tempo=cfg.tempo))

    return run.Experiment(
        beside({kind: learner(kind) for kind in models}),
        data.shuffled(loaded.train, cfg.batch_size),
        probes={"test": frames.judged_pieces(models, loaded.test)},
        final={"composed": compose, "baseline": known({"marginal_nats": loaded.marginal})},
        offers={**models, "sample": run.Offer(sing, run.Repeats(), run.Cells())},
        figures=show.figures(
            learning=show.curves(
                {frames.NAMES[kind]: f"test/{kind}_nats" for kind in models},
                y_label="-log p of a frame (nats)",
                title=f"Test pieces of {cfg.dataset}",
                references={"keys by their frequencies {:.2f}": loaded.marginal},
            ),
            rolls=show.piano_rolls("composed/frame", {"of the test set": song}, lowest=loaded.lowest, voices=names),
        ),
        writes={"composed.mid": written},
    )


def networks(cfg: Config, pieces: music.Songs) -> dict[frames.Kind, frames.FrameModel]:
    """Models of the frames, whose keys are at first as likely as they are in training."""
    log_odds = tuple(np.log(pieces.frequency / (1 - pieces.frequency)).tolist())
    of = {"width": cfg.width, "num_hidden": cfg.num_hidden, "dropout": cfg.dropout, "dtype": jnp.dtype(cfg.precision)}
    return {kind: frames.frame_model(kind, log_odds, **of) for kind in cfg.models}


if __name__ == "__main__":
    run.main(__name__)
