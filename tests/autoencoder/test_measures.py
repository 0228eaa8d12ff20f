"""Measures of codes of other kinds: of the averaged parameters, without what is padding."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from adl.autoencoder import deterministic, evaluation, quantised
from adl.autoencoder.conditional import OfCondition, conditional_perceptrons
from adl.autoencoder.vae import bernoulli, elbo
from adl.core import Learner, average_params, full_pass, tree
from adl.nn.transformer import GPT

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = (RNG.random((10, 4)) > 0.5).astype("f")
LABEL = (np.arange(10) % 3).astype("int32")
TX = optax.chain(optax.sgd(0.1), average_params(0.9))


def padded(**columns):
    """Two batches of six, the last two rows of which are no examples."""
    cut = {
        name: np.concatenate([x, np.zeros((2, *x.shape[1:]), x.dtype)]).reshape(2, 6, *x.shape[1:])
        for name, x in columns.items()
    }
    return cut | {"mask": (np.arange(12) < 10).astype("f").reshape(2, 6)}


def looked_at(learner):
    """What is looked at is the average: the parameters themselves say nothing."""
    return learner._replace(params=tree.zeros(learner.params))


def test_the_bound_on_a_class_is_that_of_the_model_given_it():
    model = conditional_perceptrons(2, (8,), 4)
    condition = jax.nn.one_hot(LABEL, 3)
    learner = jax.jit(lambda: Learner.create(model.init(KEY, KEY, (X, condition)), TX))()
    measure = evaluation.conditional_bounds(model, bernoulli, 3)
    seen = jax.jit(full_pass(measure, padded(x=X, label=LABEL), 10))(KEY, looked_at(learner))
    want = jax.jit(
        lambda of: elbo(KEY, OfCondition(model.bind(of.variables), condition), X, likelihood=bernoulli)["kl"]
    )(learner)
    np.testing.assert_allclose(seen["kl"].value, want.mean(), rtol=1e-5)  # in closed form
    np.testing.assert_allclose(seen["elbo"].value, seen["reconstruction"].value - seen["kl"].value, rtol=1e-5)
    assert seen["elbo"].count == 10


def test_the_bound_of_codes_is_what_the_decoder_and_the_prior_say():
    places = nn.Sequential([nn.Dense(4), lambda h: h.reshape(len(h), 2, 2)])
    back = nn.Sequential([lambda z: z.reshape(len(z), -1), nn.Dense(4)])
    model, prior = quantised.VQVAE(places, quantised.LearnedCodebook(3), back), GPT(4, 2, 1, 2, 8)
    of = {"num_codes": 3, "likelihood": bernoulli}
    state = jax.jit(quantised.vq_vae(model, TX, prior=prior, **of).init)(KEY, X)
    measure = evaluation.code_bounds(model, prior, bernoulli, 3)
    seen = jax.jit(full_pass(measure, padded(x=X), 10))(KEY, quantised.Both(*map(looked_at, state)))
    found, output = jax.jit(model.apply)(state.autoencoder.variables, X)
    np.testing.assert_allclose(seen["reconstruction"].value, bernoulli(X, output).mean(), rtol=1e-5)
    logits = jax.jit(prior.apply)(state.prior.variables, quantised.preceding(found.index, 3))[..., :3]
    chance = jax.nn.log_softmax(logits)[np.arange(10)[:, None], np.arange(2)[None], found.index].sum(1)
    np.testing.assert_allclose(seen["code_nll"].value, -chance.mean(), rtol=1e-5)
    np.testing.assert_allclose(seen["elbo"].value, (bernoulli(X, output) + chance).mean(), rtol=1e-5)


def test_errors_stand_beside_those_of_components():
    models = {size: deterministic.Autoencoder(nn.Dense(size), nn.Dense(4)) for size in (1, 2)}
    state = {size: Learner.create(model.init(KEY, X), TX) for size, model in models.items()}

    def coder(state, size):
        return models[size].bind(state[size].averaged)

    measure = evaluation.reconstruction_errors(coder, {1: 2.0, 2: 0.5})
    seen = jax.jit(full_pass(measure, padded(x=X), 10))(KEY, state)
    for size, least in ((1, 2.0), (2, 0.5)):
        want = np.square(X - models[size].apply(state[size].variables, X)[1]).sum(1).mean()
        np.testing.assert_allclose(seen[f"error_{size}"].value, want, rtol=1e-5)
        np.testing.assert_allclose(seen[f"share_{size}"].value, want / least, rtol=1e-5)


def test_a_perplexity_never_passes_the_number_of_codes():
    index = jnp.asarray(RNG.integers(0, 5, (20, 7)))
    assert 1 <= quantised.perplexity(index, 16) <= 5
