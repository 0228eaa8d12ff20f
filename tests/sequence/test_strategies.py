"""The usual ways are what their names say, and are told apart as the measures of texts tell."""

import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from adl.core import Learner
from adl.data.text import Continued
from adl.measure.texts import beside_people
from adl.nn.transformer import GPT
from adl.sequence.beam import beam_search
from adl.sequence.decode import drawn, generate, reading, top_k
from adl.sequence.strategies import by_all, compared, label, strategies

V, P, N = 7, 3, 12
KEY, RNG = jax.random.key(0), np.random.default_rng(0)
MODEL, JUDGE = GPT(V, P + N, 1, 2, 8), GPT(V, P + N, 1, 1, 4)
HELD = Continued(RNG.integers(0, V, (6, P)), RNG.integers(0, V, (6, N)))


def sharp(model, key):
    """Parameters so large that tokens matter."""
    params = jax.jit(model.init)(key, HELD.prompt)["params"]
    return jax.tree.map(lambda p: 8 * p if p.ndim > 1 else p, params)


PARAMS = {"model": sharp(MODEL, KEY), "judge": sharp(JUDGE, jax.random.key(1))}
WAYS = strategies(MODEL, N, temperatures=(0.5,), k=3, p=0.9, num_beams=2)


def test_ways_are_decoding_with_their_choices():
    of = {"params": PARAMS["model"]}
    begun = reading(MODEL, of), MODEL.empty_cache(6, P + N), HELD.prompt, N
    assert list(WAYS) == ["greedy", "beam", "temperature_0.5", "pure", "top_k", "nucleus"]
    made = {name: np.asarray(way(KEY, of, HELD.prompt)) for name, way in WAYS.items()}
    np.testing.assert_array_equal(made["greedy"], generate(KEY, *begun).token)
    np.testing.assert_array_equal(made["top_k"], generate(KEY, *begun, choose=drawn(top_k(3))).token)
    np.testing.assert_array_equal(made["beam"], beam_search(*begun, num_beams=2).token[:, 0])
    assert len({text.tobytes() for text in made.values()}) == len(made)


def test_what_they_make_is_judged_by_both_models():
    state = {name: Learner(params, (), {}) for name, params in PARAMS.items()}
    found = jax.jit(compared({"model": MODEL, "judge": JUDGE}, WAYS, HELD))(KEY, state)
    texts = {"text": HELD.text, **{name: np.asarray(found[f"made_{name}"]) for name in WAYS}}

    def nats(model, params, text):
        whole = np.concatenate([HELD.prompt, text], 1)
        log_prob = log_softmax(np.asarray(model.apply({"params": params}, whole), float), -1)[:, P - 1 : -1]
        return -np.take_along_axis(log_prob, text[..., None], -1)[..., 0].mean(1)

    own = {name: nats(MODEL, PARAMS["model"], text) for name, text in texts.items()}
    for name, want in beside_people(texts, own).items():
        np.testing.assert_allclose(found[name].value, want.value, rtol=1e-4, atol=1e-5)
    for name, text in texts.items():
        want = nats(JUDGE, PARAMS["judge"], text).mean()
        np.testing.assert_allclose(found[f"{name}_judged"].value, want, rtol=1e-4)


def test_ways_of_two_lengths_are_no_one_program():
    longer = strategies(MODEL, N + 1, temperatures=(), k=3, p=0.9, num_beams=2)["pure"]
    with pytest.raises(ValueError, match="longer and greedy must be ways of one model, and of as many tokens"):
        by_all({"greedy": WAYS["greedy"], "longer": longer}, KEY, {"params": PARAMS["model"]}, HELD.prompt)


def test_labels():
    assert [label(name) for name in ("text", "top_k", "temperature_0.5")] == [
        "what people wrote",
        "top k",
        "temperature 0.5",
    ]
