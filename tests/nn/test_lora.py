"""Adapters: the network itself at first, PyTorch's formula afterwards, and nothing else that moves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import tree
from adl.nn.lora import WithAdapters
from adl.nn.transformer import GPT
from adl.sequence.language import language_model
from tests.sequence.cases import texts

MODEL = GPT(5, 8, 1, 2, 8, num_values=1)
ADAPTED = WithAdapters(MODEL, 2, alpha=3.0)
TOKEN = texts(0)["token"][:, :8]


def moved():
    variables = ADAPTED.init(jax.random.key(0), TOKEN)
    noise = jax.random.normal(jax.random.key(1), (100,))
    low = jax.tree.map(lambda x: x + noise[: x.size].reshape(x.shape), variables["params"]["low"])
    return variables, {**variables, "params": {**variables["params"], "low": low}}


def test_it_begins_as_the_network_and_its_adapters_are_few():
    variables, _ = moved()
    plain = ADAPTED.merged(variables)
    np.testing.assert_array_equal(ADAPTED.apply(variables, TOKEN), MODEL.apply(plain, TOKEN))
    np.testing.assert_array_equal(ADAPTED.apply(plain, TOKEN), MODEL.apply(plain, TOKEN))
    sizes = [(8, 8)] * 4 + [(8, 32), (32, 8)]  # attention, perceptron
    assert tree.count(variables["params"]["low"]) == sum(2 * sum(shape) for shape in sizes)
    assert set(variables["params"]) == {"low", "values"} and "values" not in variables["frozen"]


def test_a_kernel_moves_as_two_linear_maps_of_torch_one_after_the_other():
    torch = pytest.importorskip("torch")
    _, variables = moved()
    name = next(iter(variables["params"]["low"]))
    matrix, plain = variables["params"]["low"][name], ADAPTED.merged(variables)["params"]
    kernel, base = plain, variables["frozen"]
    for part in name.split("/"):
        kernel, base = kernel[part], base[part]
    x = np.random.default_rng(0).normal(size=(3, base.shape[0])).astype("f")
    down, up = (
        torch.nn.functional.linear(torch.eye(n), torch.tensor(np.asarray(w)).T)
        for n, w in ((base.shape[0], matrix["a"]), (2, matrix["b"]))
    )
    wanted = torch.tensor(x) @ torch.tensor(np.asarray(base)) + 1.5 * (torch.tensor(x) @ down @ up)
    np.testing.assert_allclose(x @ kernel, wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_only_adapters_learn():
    model = WithAdapters(GPT(5, 8, 1, 2, 8), 2)
    alg = language_model(model, optax.adam(0.03))
    learner = first = alg.init(jax.random.key(0), texts(0))
    step, losses = jax.jit(alg.step), []
    for i in range(20):
        learner, metrics = step(jax.random.key(i), learner, texts(i))
        losses.append(float(metrics["loss"].value))
    jax.tree.map(np.testing.assert_array_equal, learner.extras["frozen"], first.extras["frozen"])
    assert losses[-1] < losses[0]
    pairs = zip(*map(jax.tree.leaves, (learner.params, first.params)), strict=True)
    assert all(jnp.abs(a - b).max() > 0 for a, b in pairs)
