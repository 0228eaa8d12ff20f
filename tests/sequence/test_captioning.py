"""Captions are the likeliest words one by one; plain ones are the most frequent and the nearest; answers are counted."""

import jax
import jax.numpy as jnp
import numpy as np

from adl import data
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.picture_reader import Captioner, PictureTokens
from adl.sequence.asking import answered_by_kind
from adl.sequence.captioning import caption_of, judged_captions, plain_captions

RNG = np.random.default_rng(0)
MODEL = Captioner(PictureTokens((8,), (4,)), EncoderDecoder(6, 0, 2, 8, num_decoder_layers=1))
IMAGE = RNG.normal(size=(5, 8, 8, 3)).astype("f")
END = 5


def test_captions_are_the_likeliest_words_one_by_one():
    variables = jax.tree.map(lambda x: 20 * x, MODEL.init(jax.random.key(1), IMAGE, np.zeros((5, 1), int)))
    said = caption_of(MODEL, variables, IMAGE, 7, start=0, end=END)
    for image, row in zip(IMAGE, np.asarray(said), strict=True):
        text = [0]
        while len(text) <= 7 and text[-1] != END:
            text.append(int(MODEL.apply(variables, image[None], jnp.array([text]))[0, -1].argmax()))
        np.testing.assert_array_equal(row[: len(text) - 1], text[1:])
        assert (row[len(text) - 1 :] == END).all()


def test_plain_captions_are_the_most_frequent_and_the_nearest():
    image = RNG.integers(0, 256, (4, 4, 4, 3)).astype(np.uint8)
    known = data.Split({"image": image, "token": np.array([[0, 1, 5], [0, 2, 5], [0, 1, 5], [0, 3, 5]])})
    moved = data.Split({"image": np.clip(image[::-1].astype(int) + 1, 0, 255).astype(np.uint8)})
    found = plain_captions(known, moved)
    np.testing.assert_array_equal(found["constant"], [[1, 5]] * 4)
    np.testing.assert_array_equal(found["nearest"], [[3, 5], [1, 5], [2, 5], [1, 5]])


def test_captions_of_all_pictures_are_judged():
    split = data.Split({"image": IMAGE, "token": np.array([[0, 1, 5], [0, 2, 5], [0, 1, 5], [0, 3, 5], [0, 1, 5]])})
    probe = judged_captions(lambda state, image: jnp.full((len(image), 2), state), split, {"other": np.full((5, 2), 1)}, end=END)
    told = probe(jax.random.key(0), 5)
    assert told["exact"].value == 0
    np.testing.assert_allclose(probe(jax.random.key(0), jnp.array([1, 5]))["exact"].value, 0.6, rtol=1e-6)
    assert told["other_exact"].value == 0 and told["other_bleu"].value == 0


def test_answers_are_counted_by_kind():
    token = np.array([[0, 1, 3], [0, 2, 4], [0, 1, 3]])
    questions = data.Split(
        {"token": token, "mask": np.array([[0, 1]] * 3, np.float32), "kind": np.array([0, 1, 0], np.int32)}
    )
    say = {"three": lambda state, batch: jax.nn.one_hot(jnp.full((len(batch["token"]), 2), 3), 6)}
    told = answered_by_kind(say, questions, ["colour", "shape"])(jax.random.key(0), None)
    assert told["three_colour"].value == 1 and told["three_shape"].value == 0
    np.testing.assert_allclose(told["three_exact"].value, 2 / 3, rtol=1e-6)
    np.testing.assert_array_equal(told["three_said"], [3, 3, 3])
