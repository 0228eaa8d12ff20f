"""Questions about rendered scenes, answered by a language model that reads the picture first.

Convolutions make 16 vectors of a picture, an affine map makes tokens of them, and a decoder-only transformer reads them
before the question: "what colour is the disc?", "how many red things are there?", "is the red disc left of the cyan
star?" (visual instruction tuning, Liu et al. 2023, arXiv:2304.08485, whose parts were learned before; here all learn
together). It learns from captions, too, "what is there? a red disc top left", and the loss is on answers only. Beside
it, on the same batches, the same transformer without pictures: what words alone give away. Judged on new scenes of
pairs of colour and shape that were learned, and on questions about things of a pair that never was.

    python -m experiments.vision.questions
    >>> answer = run.load("runs/vision/questions").generate(pictures, question="what colour is the disc?")[0]

Expected, with and without pictures: 0.84 and 0.36 of all questions about pairs that were learned (colour 0.90, shape
0.96, how many 0.80), 0.58 and 0.29 about a pair that was not: its colour (0.89) and number (0.81) are told, its shape
is not (0.12), for that colour never had it. Which is left has not been learned after 1,000 steps (0.54). Without
captions to learn from 0.51 of the answers were right after 500 steps, with them 0.79. One seed; eleven minutes on two
cores that five others used, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
from jax import Array

from adl import data, run, show
from adl.core import Key, beside, optimizer
from adl.data.captioned import CaptionedPictures, questioned_pictures
from adl.data.scenes.questions import KINDS
from adl.nn.picture_reader import PictureGPT, PictureTokens
from adl.nn.transformer import GPT
from adl.sequence.asking import first_word, said_right
from adl.sequence.captioning import captioning
from adl.sequence.language import language_model

PARTS = {"test": "pairs that were learned", "held_out": "a pair that was not"}
WHO = {"sighted": "reads the picture", "blind": "words alone"}
GROUPS = {  # of questions by name: each part's of all kinds, and of each
    f"{part}_{kind}" if kind else part: [len(KINDS) * p + k for k, one in enumerate(KINDS) if kind in ("", one)]
    for p, part in enumerate(PARTS)
    for kind in ("", *KINDS)
}
NAMES = [f"{called}: {kind}" for called in PARTS.values() for kind in ("all", *KINDS.values())]
SHOWN = 4  # questions of either part in the figure


@dataclass(frozen=True)
class Config(run.Averaged, run.Parts, run.Config):
    """The default is the run that the claims are about; its learning rate falls on a cosine."""

    dataset: Literal["scenes/told", "scenes/told_sample"] = "scenes/told"  # of which all is known that there is
    held_out_split: str = "held_out"  # of pairs of colour and shape that are not learned
    num_steps: run.Count = 1000
    batch_size: run.Split = 128  # questions a step, of which two in nine are for the caption
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    width: run.Eights = 64  # of words, of what the picture is read as, and of the transformer; 4 heads
    num_layers: run.Count = 2  # of the transformer
    learning_rate: run.Positive = 2e-3  # at its height, after 100 steps
    weight_decay: run.NonNegative = 0.01  # times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which answers


PROTOCOL = (
    "scenes/told, questions about 8,000 pictures to learn from, of 1,000 of {}: {}, averaged parameters, one seed"
)
CLAIMS = tuple(
    run.Claim(
        f"answers/{part}{kind}_{who}",
        **{end: value},
        protocol=PROTOCOL.format(PARTS[part], f"share of {asked} answered rightly"),
        reference="the same transformer without pictures, in the same run (answers/..._blind)",
    )
    for part, kind, who, end, value, asked in (
        ("test", "", "sighted", "at_least", 0.82, "all questions"),
        ("held_out", "", "sighted", "at_least", 0.56, "all questions"),
        ("held_out", "_shape", "sighted", "at_most", 0.2, "questions for its shape: what was never told is not told"),
        ("test", "", "blind", "at_most", 0.4, "all questions, by words alone,"),
    )
)
SMOKE = {"dataset": "scenes/told_sample", "num_steps": 4, "batch_size": 8, "width": 8, "num_layers": 1}


def load(cfg: Config) -> CaptionedPictures:
    """Questions about the pictures of three splits."""
    return questioned_pictures(cfg.dataset, of=(*cfg.parts, cfg.held_out_split), **cfg.source)


def build(cfg: Config, loaded: CaptionedPictures, axis: str | None) -> run.Experiment:
    """The same transformer with and without pictures, and what it answers."""
    train, tests, captions = loaded.splits[0], loaded.tests(len(KINDS)), loaded.captions
    (sighted, blind), encode = network(cfg, loaded), data.image.symmetric
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=100), clip=1.0)

    def see(state, batch: Mapping[str, Array]) -> Array:
        return sighted.apply(state["sighted"].averaged, encode(batch["image"]), batch["token"][:, :-1])

    def guess(state, batch: Mapping[str, Array]) -> Array:
        return blind.apply(state["blind"].averaged, batch["token"][:, :-1])

    def reply(key: Key, state, image: Array, question: str = "how many things are there?") -> Array:
        return first_word(sighted, state["sighted"].averaged, encode(image), captions.prompt(question))

    shown = show.asked_of_pictures("answers", WHO, **loaded.asked(tests, each=SHOWN))
    curves = {f"{WHO[who]}: {called}": f"answers/{part}_{who}" for who in WHO for part, called in PARTS.items()}
    every = {called: f"answers/every_{who}" for who, called in WHO.items()}
    return run.Experiment(
        beside(
            {
                "sighted": captioning(sighted, tx, prepare=lambda key, image: encode(image), axis=axis),
                "blind": language_model(blind, tx, axis=axis),
            }
        ),
        data.shuffled(train.require("image", "token", "mask"), cfg.batch_size),
        probes={"answers": said_right({"sighted": see, "blind": guess}, tests, GROUPS)},
        offers={
            "model": sighted,
            "generate": run.Offer(reply, run.Images(train.example_shape), run.Text(captions.read, loaded.text)),
        },
        figures=show.figures(
            answers=shown,
            kinds=show.page(
                [show.dots(NAMES, every, x_label="share answered rightly", x_lim=(-0.03, 1.03))], size=(4.6, 3.6)
            ),
            learning=show.curves(curves, y_label="share answered rightly", title="Questions about new pictures"),
        ),
    )


def network(cfg: Config, pictures: CaptionedPictures) -> tuple[PictureGPT, GPT]:
    """For pictures of any size and these words; the same without pictures."""
    dtype = jnp.dtype(cfg.precision)
    read = PictureTokens((cfg.width // 2, cfg.width, cfg.width), (2, 2, 2), dtype=dtype)
    height, width, _ = pictures.splits[0].example_shape
    room = -(-height // 8) * -(-width // 8) + pictures.captions.length
    text = GPT(pictures.vocab_size, room, cfg.num_layers, 4, cfg.width, dtype=dtype)
    return PictureGPT(read, text), text


if __name__ == "__main__":
    run.main(__name__)
