"""What differs from device to device is found in a program, through calls, loops and branches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from adl.core import Algorithm, BadInput, Learner, Mean, beside, descend, over_devices, repeated
from adl.core.varying import differs

ZERO, ONE = jnp.zeros(()), jnp.ones(())


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))

# (whole, own) -> outputs: the first input is the same on all devices, the second is each device's own
PROGRAMS = {
    "apart": (lambda whole, own: (whole + 1, own + 1, 0 * whole), [False, True, False]),
    "mixed": (lambda whole, own: whole * own, [True]),
    "reduced": (lambda whole, own: whole + lax.psum(own, "data"), [False]),
    "mean, then moved": (lambda whole, own: lax.pmean(own * whole, "data") - own, [True]),
    "most": (lambda whole, own: (lax.pmax(own, "data"), lax.pmin(own, "data")), [False, False]),
    "gathered": (lambda whole, own: lax.all_gather(own, "data"), [False]),
    "sent on": (lambda whole, own: lax.ppermute(own, "data", [(0, 1), (1, 0)]), [True]),
    "sent on, of the same": (lambda whole, own: lax.ppermute(whole, "data", [(0, 1)]), [True]),
    "index": (lambda whole, own: whole + lax.axis_index("data"), [True]),
    "called": (lambda whole, own: jax.jit(lambda a, b: (a, lax.psum(b, "data"), b))(whole, own), [False, False, True]),
    "own rule": (
        lambda whole, own: (doubled(whole), doubled(own), doubled(lax.psum(own, "data"))),
        [False, True, False],
    ),
    "remembered": (lambda whole, own: jax.checkpoint(lambda a: jnp.sin(a))(whole), [False]),
    "scan": (
        lambda whole, own: lax.scan(lambda h, x: ((h[1], h[1] + own, h[2]), x), (whole, whole, whole), jnp.ones(3)),
        [True, True, False, False],
    ),
    "scan, reduced": (
        lambda whole, own: lax.scan(lambda h, _: (h + lax.psum(own, "data"), own), whole, length=3),
        [False, True],
    ),
    "while": (lambda whole, own: lax.while_loop(lambda h: h < 9, lambda h: h + own, whole), [True]),
    "while, to its own end": (
        lambda whole, own: lax.while_loop(lambda h: h < own, lambda h: h + 1, whole),
        [True],
    ),
    "while, the same": (lambda whole, own: lax.while_loop(lambda h: h < 9, lambda h: h + 1, whole), [False]),
    "cond": (lambda whole, own: lax.cond(whole > 0, lambda: (own, whole), lambda: (whole, whole)), [True, False]),
    "cond, by its own": (lambda whole, own: lax.cond(own > 0, lambda: whole, lambda: 2 * whole), [True]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_differs(name):
    fn, want = PROGRAMS[name]
    program = jax.make_jaxpr(fn, axis_env=[("data", 2)])(ONE, ONE)
    assert differs(program, [False, True], "data") == want


X = np.random.default_rng(0).normal(size=(16, 2)).astype("f")
KEY = jax.random.key(0)


def fit(axis, prepare=lambda key, x: x):
    model, tx = nn.Dense(1), optax.adam(0.1)

    def loss(key, params, extras, x):
        return {"loss": Mean.of(jnp.square(model.apply({"params": params}, prepare(key, x))))}, extras

    return Algorithm(lambda key, x: Learner.create(model.init(key, x), tx), descend(loss, tx, axis))


def walkers(axes):
    def step(key, x, batch):
        return x + jax.random.normal(key, x.shape), {"mean": Mean.of(x)}

    return Algorithm(lambda key, batch: jnp.zeros(8), step, axes)


@pytest.mark.parametrize(
    ("alg", "leaf"),
    [
        (fit(None), "params/bias"),
        (beside({"one": fit("data"), "other": fit(None)}), "other/params/bias"),
        (fit(None, lambda key, x: jax.random.normal(key, (4, 2))), "params/bias"),
        (walkers(None), "the state"),
    ],
    ids=["descent", "one of two", "by its key alone", "walkers on every device"],
)
def test_devices_that_would_drift_apart_are_refused(alg, leaf):
    lifted = over_devices(alg)
    state = jax.eval_shape(alg.init, KEY, X)
    with pytest.raises(BadInput, match=f"^{leaf} would differ from device to device.*axis='data'") as told:
        jax.eval_shape(lifted.step, KEY, state, X)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("alg", [fit("data"), walkers(0)], ids=["reduces", "splits"])
def test_what_reduces_or_splits_is_not(alg):
    lifted = over_devices(alg)
    jax.eval_shape(lifted.step, KEY, jax.eval_shape(alg.init, KEY, X), X)


def test_several_steps_of_a_drifting_one_are_refused_too():
    lifted = repeated(over_devices(fit(None)), 2)
    with pytest.raises(BadInput, match="would differ from device to device"):
        jax.eval_shape(lifted.step, KEY, jax.eval_shape(fit(None).init, KEY, X), np.stack([X] * 2))
