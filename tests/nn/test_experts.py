"""A mixture of experts is Mixtral's where none is full, serves in order where they are, and is balanced as Switch's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from transformers.models.mixtral.modeling_mixtral import MixtralConfig, MixtralSparseMoeBlock
from transformers.models.switch_transformers.modeling_switch_transformers import load_balancing_loss_func

from adl.nn.experts import Experts
from adl.nn.transformer import GPT, swiglu

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("f")
E, HIDDEN = 4, 7
MODEL = Experts(E, top_k=2, expert=functools.partial(swiglu, hidden=HIDDEN))


def drawn():
    keys = iter(jax.random.split(KEY, 9))
    shapes = jax.eval_shape(MODEL.init, KEY, X)["params"]
    return jax.tree.map(lambda leaf: jax.random.normal(next(keys), leaf.shape), shapes)


@pytest.mark.parametrize("capacity", [None, 2.0], ids=["everywhere", "served"])
def test_two_of_four_are_mixtral_s(capacity):
    """A capacity of twice the share is room for all, as each position wants an expert at most once."""
    params = drawn()
    sizes = {"hidden_size": 6, "intermediate_size": HIDDEN, "num_local_experts": E, "num_experts_per_tok": 2}
    peer = MixtralSparseMoeBlock(MixtralConfig(**sizes)).eval()
    ours = params["GatedMLP_0"]
    wide = np.concatenate([ours["gate"]["kernel"], ours["up"]["kernel"]], -1)
    for theirs, value in (
        (peer.gate.weight, params["router"]["kernel"].T),
        (peer.experts.gate_up_proj, wide.swapaxes(1, 2)),
        (peer.experts.down_proj, ours["down"]["kernel"].swapaxes(1, 2)),
    ):
        theirs.data = torch.tensor(np.array(value))
    got = MODEL.clone(capacity=capacity).apply({"params": params}, X)
    with torch.no_grad():
        np.testing.assert_allclose(got, peer(torch.tensor(X)), rtol=1e-4, atol=1e-4)


def test_the_balance_is_switch_s():
    params = drawn()
    share = jax.nn.softmax(X.reshape(-1, 6) @ params["router"]["kernel"])
    model = MODEL.clone(top_k=1)
    _, sown = model.apply({"params": params}, X, mutable=["losses"])
    want = load_balancing_loss_func(torch.tensor(np.array(share))[None], torch.tensor(np.array(share.argmax(-1)))[None])
    np.testing.assert_allclose(sown["losses"]["balance"][0], want, rtol=1e-5)
    equal = {**params, "router": {"kernel": jnp.zeros((6, E))}}
    _, sown = model.apply({"params": equal}, X, mutable=["losses"])
    np.testing.assert_allclose(sown["losses"]["balance"][0], 1, rtol=1e-6)
    assert model.init(KEY, X).keys() == {"params"}


@pytest.mark.parametrize("top_k", [1, 2])
def test_experts_serve_first_choices_first_and_then_in_order(top_k):
    """By a loop over choices and positions."""
    params, capacity = drawn(), 0.75
    model = MODEL.clone(top_k=top_k, capacity=capacity)
    x = X.reshape(-1, 6)
    share = np.asarray(jax.nn.softmax(x @ params["router"]["kernel"]))
    best = np.argsort(-share, -1)[:, :top_k]
    gates = np.take_along_axis(share, best, -1)
    gates = gates / gates.sum(-1, keepdims=True) if top_k > 1 else gates
    every = functools.partial(swiglu, hidden=HIDDEN)(6)
    made = jax.vmap(lambda params: every.apply({"params": params}, x))(params["GatedMLP_0"])
    room, busy, want = int(np.ceil(capacity * top_k * 10 / E)), np.zeros(E, int), np.zeros((10, 6))
    for choice in range(top_k):
        for n, i in enumerate(best[:, choice]):
            if busy[i] < room:
                busy[i] += 1
                want[n] += gates[n, choice] * made[i, n]
    assert (busy == room).any() and busy.sum() < 10 * top_k  # somebody is turned away
    np.testing.assert_allclose(model.apply({"params": params}, X).reshape(10, 6), want, rtol=1e-4, atol=1e-4)


def test_blocks_take_experts_for_their_perceptron():
    model = GPT(11, 8, 1, 2, 8, feedforward=functools.partial(Experts, 3))
    token = np.arange(6)[None]
    variables = model.init(KEY, token)
    assert variables["params"]["Block_0"]["Experts_0"]["MLP_0"]["Dense_0"]["kernel"].shape == (3, 8, 32)
    _, sown = model.apply(variables, token, mutable=["losses"])
    np.testing.assert_allclose(sown["losses"]["Block_0"]["Experts_0"]["balance"][0], 1, atol=0.1)  # at the start
