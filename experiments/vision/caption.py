"""Captions of rendered scenes: a transformer that looks at a picture tells what is in it, and where.

Convolutions make 64 vectors of a picture, one for each square of 4x4 pixels, and each word of a transformer's decoder
attends to them (Vinyals et al. 2015, arXiv:1411.4555; attention: Xu et al. 2015, arXiv:1502.03044). A caption names
every thing in the order of its places, "a red disc top left, a cyan star bottom right", so that one is right. Judged on
new pictures of pairs of colour and shape that were learned, and of pairs that never were; beside the training caption
that is most frequent, and that of the training picture which is nearest in its pixels.

    python -m experiments.vision.caption
    >>> caption = run.load("runs/vision/caption").generate(pictures)[0]
    python -m experiments.vision.caption --num_seeds 3 --sweep word_dropout=0,0.5

Expected: TODO
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import Key, Learner, optimizer
from adl.data.captioned import CaptionedPictures, captioned_pictures
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.picture_reader import Captioner, PictureTokens
from adl.sequence.captioning import caption_of, captioning, judged_captions, plain_captions

SHOWN = 4  # pictures in the figure, half of them of pairs that were not learned
KINDS = {"test": "pairs that were learned", "held_out": "a pair that was not"}


@dataclass(frozen=True)
class Config(run.Averaged, run.Parts, run.Config):
    """The default is the run that the claims are about; its learning rate falls on a cosine."""

    dataset: Literal["scenes/told", "scenes/told_sample"] = "scenes/told"  # of which all is known that there is
    held_out_split: str = "held_out"  # of pairs of colour and shape that are not learned
    num_steps: run.Count = 2000
    batch_size: run.Split = 64
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    width: run.Eights = 64  # of words, of what the picture is read as, and of the decoder; 4 heads
    num_layers: run.Count = 2  # of the decoder
    learning_rate: run.Positive = 2e-3  # at its height, after 100 steps
    weight_decay: run.NonNegative = 0.01  # times the learning rate
    ema: run.Rate = 0.99  # decay of the parameter average, which tells


PROTOCOL = "scenes/told, 8,000 pictures to learn from, 1,000 of {}: greedy captions, averaged parameters, one seed"
CLAIMS = ()
SMOKE = {"dataset": "scenes/told_sample", "num_steps": 4, "batch_size": 8, "width": 8, "num_layers": 1}


def load(cfg: Config) -> tuple[CaptionedPictures, dict[str, dict[str, np.ndarray]]]:
    """Pictures with captions of three splits, and captions of the latter two that took no learning."""
    found = captioned_pictures(cfg.dataset, of=(*cfg.parts, cfg.held_out_split), **cfg.source)
    train, *tests = found.splits
    return found, {name: plain_captions(train, test) for name, test in zip(KINDS, tests, strict=True)}


def build(cfg: Config, loaded: tuple, axis: str | None) -> run.Experiment:
    """A captioner, and how right it is."""
    (splits, captions), plain = loaded
    train, *tests = splits
    tests, end, length = dict(zip(KINDS, tests, strict=True)), loaded[0].end, captions.length
    model = network(cfg, loaded[0])
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=100), clip=1.0)

    def say(learner: Learner, image: Array) -> Array:
        x = data.image.symmetric(image)
        return caption_of(model, learner.averaged, x, length, start=captions.tokens.start, end=end)

    shown = np.concatenate([test.column("image")[: SHOWN // 2] for test in tests.values()])

    def look(image: Array, key: Key, learner: Learner) -> dict[str, Array]:
        said = say(learner, image)
        token = jnp.concatenate([jnp.full_like(said[:, :1], captions.tokens.start), said[:, :-1]], 1)
        return {"said": said, "weights": model.looks(learner.averaged, data.image.symmetric(image), token)}

    return run.Experiment(
        captioning(model, tx, prepare=lambda key, image: data.image.symmetric(image), axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={name: judged_captions(say, test.first(200), {}, end=end) for name, test in tests.items()},
        final={name: judged_captions(say, test, plain[name], end=end) for name, test in tests.items()},
        offers={
            "model": model,
            "generate": run.Offer(
                lambda key, *of: say(*of),
                run.Images(train.example_shape),
                run.Text(captions.read, loaded[0].text),
            ),
        },
        figures=show.figures(),
    )


def network(cfg: Config, pictures: CaptionedPictures) -> Captioner:
    """For pictures of any size and these words."""
    dtype = jnp.dtype(cfg.precision)
    read = PictureTokens((cfg.width // 2, cfg.width, cfg.width), (2, 2, 1), dtype=dtype)
    return Captioner(read, EncoderDecoder(pictures.vocab_size, 0, 4, cfg.width, dtype=dtype, num_decoder_layers=cfg.num_layers))


if __name__ == "__main__":
    run.main(__name__)
