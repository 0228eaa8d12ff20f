"""What is read before a text is as tokens are; captions look at the picture, and never at what follows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.picture_reader import Captioner, PictureGPT, PictureTokens
from adl.nn.transformer import GPT

RNG = np.random.default_rng(0)
IMAGE = jnp.asarray(RNG.normal(size=(3, 8, 8, 3)), jnp.float32)
TOKEN = jnp.asarray(RNG.integers(0, 7, (3, 5)))
CAPTIONER = Captioner(PictureTokens((8, 8), (2, 2)), EncoderDecoder(7, 0, 2, 8, num_decoder_layers=2))
READER = PictureGPT(PictureTokens((8, 8), (2, 2)), GPT(7, 9, 2, 2, 8))


@pytest.mark.parametrize("position", ["learned", "rotary", "sinusoidal"])
def test_embeddings_before_a_text_are_as_its_tokens(position):
    model = GPT(7, 12, 2, 2, 8, position=position)
    variables = model.init(jax.random.key(0), TOKEN)
    embedded = variables["params"]["tokens"]["embedding"][TOKEN[:, :2]]
    want = model.apply(variables, TOKEN)[:, 2:]
    np.testing.assert_allclose(model.apply(variables, TOKEN[:, 2:], before=embedded), want, atol=1e-5)
    mask = jnp.ones((3, 3), bool).at[0, 2].set(False)
    masked = model.apply(variables, TOKEN[:, 2:], before=embedded, mask=mask)
    np.testing.assert_allclose(masked[:, :2], want[:, :2], atol=1e-5)
    first, cache = model.apply(variables, TOKEN[:, 2:4], before=embedded, cache=model.empty_cache(3, 6))
    rest, cache = model.apply(variables, TOKEN[:, 4:], cache=cache)
    np.testing.assert_allclose(jnp.concatenate([first, rest], 1), want, atol=1e-5)
    np.testing.assert_array_equal(cache.length, 5)


def test_no_more_is_before_a_text_than_there_is_room_for():
    model = GPT(7, 6, 1, 2, 8)
    variables = model.init(jax.random.key(0), TOKEN)
    with pytest.raises(AssertionError):
        model.apply(variables, TOKEN, before=jnp.zeros((3, 2, 8)))


@pytest.mark.parametrize("model", [CAPTIONER, READER])
def test_words_depend_on_the_picture_and_on_those_before_alone(model):
    variables = model.init(jax.random.key(0), IMAGE, TOKEN)
    logits = model.apply(variables, IMAGE, TOKEN)
    assert logits.shape == (3, 5, 7)
    other = TOKEN.at[:, 3].set((TOKEN[:, 3] + 1) % 7)
    changed = jnp.abs(model.apply(variables, IMAGE, other) - logits).max((0, 2))
    np.testing.assert_array_equal(changed > 1e-6, [False, False, False, True, True])
    changed = jnp.abs(model.apply(variables, IMAGE[::-1], TOKEN) - logits).max(2)
    assert (changed[0] > 1e-6).all() and (changed[1] == 0).all()


def test_each_word_looks_somewhere():
    variables = CAPTIONER.init(jax.random.key(0), IMAGE, TOKEN)
    weights = CAPTIONER.looks(variables, IMAGE, TOKEN)
    assert weights.shape == (3, 5, 4)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
