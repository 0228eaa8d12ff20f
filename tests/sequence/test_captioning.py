"""Captions are the likeliest words one by one; plain ones the most frequent and the nearest; answers are counted."""

import jax
import jax.numpy as jnp
import numpy as np

from adl import data
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.picture_reader import Captioner, PictureTokens
from adl.sequence.asking import said_right
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
    image = RNG.integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)
    split = data.Split({"image": image, "token": np.array([[0, 1, 5], [0, 2, 5], [0, 1, 5], [0, 3, 5], [0, 1, 5]])})
    other = {"ones": np.full((5, 2), 1)}

    def look(state, image):
        return jnp.broadcast_to(state, (len(image), 2)), jnp.ones((len(image), 2, 4))

    parts = {"old": split, "new": split.first(3)}  # jit would have them by their names
    others = {"old": other, "new": {"ones": other["ones"][:3]}}
    probe = jax.jit(judged_captions(look, parts, others, end=END, num_shown=2))
    told = probe(jax.random.key(0), jnp.array([1, 5]))
    np.testing.assert_allclose(told["old_exact"].value, 3 / 5, rtol=1e-6)
    np.testing.assert_allclose(told["new_exact"].value, 2 / 3, rtol=1e-6)
    assert told["old_ones_exact"].value == told["old_ones_bleu"].value == 0
    np.testing.assert_allclose(told["every_exact"], [3 / 5, 0, 2 / 3, 0], rtol=1e-6)
    assert told["said"].shape == (4, 2) and told["weights"].shape == (4, 2, 4)


def test_answers_are_counted_by_kind():
    token = np.array([[0, 1, 3], [0, 2, 4], [0, 1, 3]])
    questions = data.Split(
        {"token": token, "mask": np.array([[0, 1]] * 3, np.float32), "kind": np.array([0, 1, 0], np.int32)}
    )
    say = {"three": lambda state, batch: jax.nn.one_hot(jnp.full((len(batch["token"]), 2), 3), 6)}
    told = said_right(say, questions, {"all": [0, 1], "colour": [0], "shape": [1]})(jax.random.key(0), None)
    assert told["colour_three"].value == 1 and told["shape_three"].value == 0
    np.testing.assert_allclose(told["all_three"].value, 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(told["every_three"], [2 / 3, 1, 0], rtol=1e-6)
    np.testing.assert_array_equal(told["said_three"], [3, 3, 3])
