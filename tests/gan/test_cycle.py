"""Translators and their judges: who moves when, what a step reports, and what is found where it is known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl.core import BadInput, Learner, average_params, jitted, tree
from adl.gan import objective
from adl.gan.adversarial import Players
from adl.gan.cycle import Ways, cyclegan
from adl.gan.translation import Known, translated
from adl.gan.translators import convolution_pairs, perceptron_pairs
from experiments.gan.cycle import Config, load

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (8, 8, 8, 1)).astype("f")
PICK = {"prepare": lambda key, batch: batch}


class Scaled(nn.Module):
    """x times a number."""

    start: float

    @nn.compact
    def __call__(self, x):
        return x * self.param("factor", nn.initializers.constant(self.start), (1,) * x.ndim)


class Mean(nn.Module):
    """The mean number of an example, times another."""

    @nn.compact
    def __call__(self, x):
        return x.reshape(len(x), -1).mean(1) * self.param("factor", nn.initializers.ones, (1,))


@pytest.mark.parametrize("still", ["gen", "disc"])
def test_each_update_leaves_the_others_alone(still):
    tx = Players(optax.sgd(0.1), optax.sgd(0.1))._replace(**{still: optax.set_to_zero()})
    alg = jitted(cyclegan(perceptron_pairs((4,)), tx, **PICK))
    before = alg.init(KEY, (X, -X))
    start = jax.device_get(before)
    after, _ = alg.step(KEY, before, (X, -X))
    for name in Players._fields:
        gone = jax.tree.map(np.subtract, getattr(start, name).params, getattr(after, name).params)
        norms = [float(tree.norm(gone[half])) for half in ("forth", "back")]
        assert norms == [0, 0] if name == still else min(norms) > 0


def test_losses_are_those_of_the_paper_by_hand():
    """Translators 2 x and 3 x, judges of the mean: every term is known."""
    model = Players(Ways(Scaled(2.0), Scaled(3.0)), Ways(Mean(), Mean()))
    alg = cyclegan(model, Players(optax.set_to_zero(), optax.set_to_zero()), weight=7.0, **PICK)
    x, y = np.full((1, 2), 0.5, "f"), np.full((1, 2), 0.25, "f")
    _, metrics = alg.step(KEY, alg.init(KEY, (x, y)), (x, y))
    fake_y, fake_x = 1.0, 0.75
    judged = (0.25 - 1) ** 2 + fake_y**2 + (0.5 - 1) ** 2 + fake_x**2
    cycle = abs(6 * 0.5 - 0.5) + abs(6 * 0.25 - 0.25)
    deceived = (fake_y - 1) ** 2 + (fake_x - 1) ** 2
    assert float(metrics["loss"].value) == pytest.approx(judged, rel=1e-5)
    assert float(metrics["cycle"].value) == pytest.approx(cycle / 2, rel=1e-5)
    assert float(metrics["generator_loss"].value) == pytest.approx(deceived + 7 * cycle, rel=1e-5)


def test_each_judge_sees_its_own_kind_and_bears_its_own_penalty():
    """Translators that change nothing, and a judge of Y that says ten times the mean: what critics say is known."""
    model = Players(Ways(Scaled(1.0), Scaled(1.0)), Ways(Mean(), Mean()))
    penalty = lambda key, critic, real, fake: critic(real) - 3 * critic(fake)  # noqa: E731 - no penalty, but it tells
    alg = cyclegan(model, Players(optax.set_to_zero(), optax.set_to_zero()), penalties=(penalty,), **PICK)
    x, y = np.full((2, 3), 0.5, "f"), np.full((2, 3), 0.25, "f")
    state = alg.init(KEY, (x, y))
    params = {**state.disc.params, "forth": jax.tree.map(lambda w: 10 * w, state.disc.params["forth"])}
    _, metrics = alg.step(KEY, state._replace(disc=state.disc._replace(params=params)), (x, y))
    assert float(metrics["penalty"].value) == pytest.approx(10 * (0.25 - 3 * 0.5) + (0.5 - 3 * 0.25), rel=1e-5)


def test_the_best_judge_of_least_squares_is_the_share_of_the_data():
    """And no other is better: p / (p + q), at which the loss is the sum of p q / (p + q)."""
    p, q = RNG.dirichlet(np.ones(6)), RNG.dirichlet(np.ones(6))

    def expected(a):
        return float(
            (p * objective.least_squares.disc(a, 0 * a) + q * objective.least_squares.disc(0 * a + 1, a)).sum()
        )

    best = p / (p + q)
    assert expected(best) == pytest.approx((p * q / (p + q)).sum(), rel=1e-5)
    assert all(expected(best + RNG.normal(0, 0.3, 6)) > expected(best) for _ in range(50))
    slope = jax.grad(lambda a: objective.least_squares.gen(a).sum())(jnp.array([-3.0, 0.5]))
    assert (slope < 0).all()


@pytest.mark.parametrize("shape", [(8, 8, 1), (33, 20, 3)], ids=str)
@pytest.mark.parametrize("kind", ["conv", "mlp"])
def test_pictures_of_any_size_stay_of_their_size(kind, shape):
    model = perceptron_pairs((8,)) if kind == "mlp" else convolution_pairs(8, 1)
    x = RNG.uniform(-1, 1, (2, *shape)).astype("f")
    (y, back), _ = model.gen.init_with_output(KEY, x, x)
    assert y.shape == back.shape == x.shape and float(jnp.abs(y).max()) < 1
    logits, _ = model.disc.init_with_output(KEY, x, x)
    assert [each.shape for each in logits] == [(2,), (2,)]


def test_true_translators_make_no_error_and_keep_the_class():
    """Negatives, by -1 both ways: errors 0, classes of the true ones; one that does nothing errs by 2 |x| / 2."""
    label = np.arange(8) % 2
    known = Known(X, -X, label)
    looked = {}
    for name, factor in {"true": -1.0, "same": 1.0}.items():
        pair = Ways(Scaled(factor), Scaled(factor))
        gen = Learner.create(pair.init(KEY, X, X), optax.chain(optax.sgd(0.0), average_params(0.9)))
        probe = translated(pair, known, known, num_classes=2)
        looked[name] = jax.device_get(probe(KEY, Players(gen, gen)))

    def values(name, what):
        return float(looked[name][what].value)

    assert values("true", "error") == values("true", "cycle") == 0
    assert values("true", "class_kept") == values("true", "true_kept")
    assert values("same", "error") == pytest.approx(np.abs(X).mean(), rel=1e-5) == values("true", "same_error")
    assert values("same", "cycle") == 0 and values("same", "class_kept") == values("same", "same_kept")
    np.testing.assert_allclose(looked["true"]["grid"][1], looked["true"]["grid"][2], atol=1e-6)
    assert looked["true"]["grid"].shape == (4, 8, 8, 8, 1)


def test_pictures_of_both_kinds_are_never_the_same_and_turned_ones_must_be_square(tmp_path):
    image = RNG.integers(0, 256, (9, 4, 4, 1), dtype=np.uint8)
    np.savez(tmp_path / "square.npz", image=image, label=np.arange(9) % 2)
    apart, test, train = load(Config(dataset=str(tmp_path / "square.npz"), kind="turned", test_share=0.25))
    x, y = (set(map(bytes, array)) for array in (apart.arrays["image"], np.rot90(apart.arrays["other"], -1, (1, 2))))
    assert len(x) == len(y) == len(train.x) // 2 and not x & y
    np.testing.assert_array_equal(np.rot90(test.x, axes=(1, 2)), test.y)
    np.savez(tmp_path / "wide.npz", image=image[:, :3], label=np.arange(9) % 2)
    with pytest.raises(BadInput, match="--kind turned: pictures of 3x4 have another shape turned"):
        load(Config(dataset=str(tmp_path / "wide.npz"), kind="turned", test_share=0.25))
