"""Pictures drawn pixel by pixel: what is remembered changes nothing, what is known stays, and chances are as told."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import BadInput
from adl.pixel.likelihood import categories
from adl.pixel.raster import completed, looking_anew, looking_back, upper_half
from tests.pixel.networks import NETWORKS, drawn


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_remembered_says_the_same(name):
    """Two channels and a class: each place by itself, and whole pictures, level by level, under the same keys."""
    shape, levels = (3, 4, 2), 5
    model, variables, given = drawn(name, shape, levels, num_classes=2)
    x = jax.random.randint(jax.random.key(2), (2, *shape), 0, levels)
    known, likelihood = upper_half(shape), categories(levels)

    @jax.jit
    def both(variables, x):
        def one(memory, place):
            output, memory = look(x, place, memory)
            return memory, output

        look, memory = looking_back(model, variables, 2, *given)
        _, told = jax.lax.scan(one, memory, jnp.arange(24))
        ways = (looking_back(model, variables, 2, *given), looking_anew(model, variables, *given))
        pictures = [completed(jax.random.key(3), *way, x, known, likelihood=likelihood) for way in ways]
        return told, model.apply(variables, x, *given), pictures

    told, whole, (remembered, anew) = both(variables, x)
    np.testing.assert_allclose(told, whole.reshape(2, 24, levels).swapaxes(0, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(remembered, anew)
    np.testing.assert_array_equal(remembered[:, :1], x[:, :1])
    assert (remembered[:, 1:] != x[:, 1:]).any() and len(np.unique(remembered)) == levels


@pytest.mark.parametrize("name", [pytest.param(x, marks=() if x == "gated" else pytest.mark.full) for x in NETWORKS])
def test_chances_of_all_pictures_sum_to_one_and_draws_keep_to_them(name):
    """All 16 pictures of 2 x 2 bits; 4,000 completions of an upper half, by Pearson's test."""
    model, variables, _ = drawn(name, (2, 2, 1), 2)
    every = jnp.array(list(itertools.product(range(2), repeat=4))).reshape(16, 2, 2, 1)
    likelihood = categories(2)
    nats = likelihood.surprise(model.apply(variables, every), every).reshape(16, 4)
    chances = np.exp(-np.float64(nats))
    assert chances.prod(1).sum() == pytest.approx(1, abs=1e-5)
    x = jnp.broadcast_to(jnp.array([1, 0, 0, 0]).reshape(1, 2, 2, 1), (4000, 2, 2, 1))
    look, memory = looking_back(model, variables, len(x))
    done = completed(jax.random.key(0), look, memory, x, upper_half((2, 2, 1)), likelihood=likelihood)
    counts = np.bincount(np.asarray(done[:, 1, :, 0] @ jnp.array([2, 1])), minlength=4)
    expected = chances[8:12, 2:].prod(1)
    assert stats.chisquare(counts, 4000 * expected / expected.sum()).pvalue > 1e-3


def test_what_stands_at_unknown_pixels_does_not_matter():
    model, variables, _ = drawn("made", (2, 3, 1), 4)

    def of(x):
        look, memory = looking_back(model, variables, 2)
        return completed(jax.random.key(0), look, memory, x, upper_half((2, 3, 1)), likelihood=categories(4))

    x = jnp.ones((2, 2, 3, 1), jnp.int32)
    np.testing.assert_array_equal(of(x), of(x.at[:, 1].set(3)))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_class_that_would_not_be_seen_is_refused_and_one_that_is_missing(name):
    model, variables, _ = drawn(name, (2, 3, 1), 4)
    x = jnp.ones((2, 2, 3, 1), jnp.int32)
    with pytest.raises(BadInput, match="would not see it"):
        model.apply(variables, x, jnp.zeros(2, jnp.int32))
    with pytest.raises(BadInput, match=r"int \[B\], not float32 \[2\]"):
        model.clone(num_classes=3).init(jax.random.key(0), x, jnp.zeros(2))
    with pytest.raises(BadInput, match="needs a label"):
        model.clone(num_classes=3).init(jax.random.key(0), x)


def test_a_made_without_hidden_layers_is_refused():
    with pytest.raises(BadInput, match="without a hidden layer"):
        NETWORKS["made"].func((2, 2, 1), 2, 2, hidden=()).init(jax.random.key(0), jnp.zeros((1, 2, 2, 1), jnp.int32))


def test_one_row_has_no_upper_half():
    with pytest.raises(BadInput, match="pictures of 1 row have no upper half"):
        upper_half((1, 8, 1))


@pytest.mark.parametrize(
    ("name", "options"), [("pixelcnn", {"width": 9}), ("gated", {"width": 5}), ("transformer", {"width": 9})]
)
def test_a_width_that_does_not_divide_is_refused(name, options):
    of = {"shape": (2, 2, 2), "num_levels": 2, "num_outputs": 2, **options}
    with pytest.raises(BadInput, match=f"a width of {options['width']}"):
        NETWORKS[name].func(**of).init(jax.random.key(0), jnp.zeros((1, 2, 2, 2), jnp.int32))
