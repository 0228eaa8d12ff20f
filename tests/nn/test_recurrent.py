"""Recurrent layers are PyTorch's with the same weights, forget padding, and fit every shape of sequence."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn

from adl.nn import recurrent
from adl.nn.recurrent import Recurrent, Recurrents

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(3, 7, 4)).astype("f")
LENGTH = np.array([7, 3, 5])
PEERS = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def with_weights_of(peer, num_layers: int, directions: int) -> dict:
    """Parameters of `Recurrents`."""
    params = {}
    for layer in range(num_layers):
        for direction in range(directions):
            end = f"_l{layer}" + "_reverse" * direction
            kernel, hidden, bias, hidden_bias = (
                np.asarray(getattr(peer, name + end).detach())
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            of = {"hidden_kernel": hidden.T, "hidden_bias": hidden_bias, "input": {"kernel": kernel.T, "bias": bias}}
            params[f"Recurrent_{layer * directions + direction}"] = of
    return params


@pytest.mark.parametrize(("name", "directions"), [("elman", 1), ("lstm", 2), ("gru", 2)])
def test_layers_are_pytorch_s(name, directions):
    """Two layers, whole and packed, from any state; outputs, last states and the gradient of the inputs."""
    torch.manual_seed(0)
    peer = PEERS[name](4, 5, 2, batch_first=True, bidirectional=directions == 2)
    cell = getattr(recurrent, name)
    model = Recurrents(cell, (5, 5), direction="forward" if directions == 1 else "both")
    variables = {"params": with_weights_of(peer, 2, directions)}
    jax.tree.map(np.testing.assert_array_equal, *(jax.tree.map(np.shape, v) for v in (variables, model.init(KEY, X))))
    start = np.random.default_rng(1).normal(size=(cell.num_states, 2 * directions, 3, 5)).astype("f")
    state = tuple(zip(*start, strict=True))
    theirs = tuple(torch.tensor(h) for h in start) if cell.num_states > 1 else torch.tensor(start[0])

    @jax.jit
    def apply(x, length):
        def total(x):
            out, last = model.apply(variables, x, state, length=length)
            return jnp.square(out).sum(), (out, last)

        (_, (out, last)), slope = jax.value_and_grad(total, has_aux=True)(x)
        return out, last, slope

    for length in (LENGTH, np.full(3, 7)):
        x = torch.tensor(X, requires_grad=True)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(length), batch_first=True, enforce_sorted=False
        )
        out, last = peer(packed, theirs)
        out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True)
        out.square().sum().backward()
        got, got_last, slope = apply(X, length)
        near = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
        near(got, out.detach())
        near(slope, x.grad)
        last = last if cell.num_states > 1 else (last,)
        for mine, its in zip(zip(*got_last, strict=True), last, strict=True):
            near(np.stack(mine), its.detach())


def test_one_at_a_time_is_all_at_once():
    model = Recurrents(recurrent.lstm, (5, 6))
    variables = model.init(KEY, X)
    want, last = model.apply(variables, X)
    state, found = model.empty(3, 4), []
    step = jax.jit(model.apply)
    for t in range(7):
        out, state = step(variables, X[:, t : t + 1], state)
        found.append(out)
    np.testing.assert_allclose(np.concatenate(found, 1), want, rtol=1e-5, atol=1e-6)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), state, last)


class Network(nn.Module):
    """A layer, and an affine map of what it puts out."""

    features: int

    @nn.compact
    def __call__(self, x, state=None):
        out, state = Recurrent(recurrent.gru, 5)(x, state)
        return nn.Dense(self.features)(out), state


@pytest.mark.parametrize("kind", ["one to one", "one to many", "many to one", "many to many"])
def test_every_shape_of_sequence(kind):
    """Each by the network's own single steps."""
    many_in, many_out = kind.startswith("many"), kind.endswith("many")
    network = Network(4)
    variables = network.init(KEY, X)
    x = X if many_in else X[:, :1]

    def step(x, state):
        y, state = network.apply(variables, x[:, None], state)
        return y[:, 0], state

    if kind == "one to many":
        got, _ = recurrent.unrolled(step, X[:, 0], (jnp.zeros((3, 5)),), 6)
    else:
        got, _ = network.apply(variables, x)
        got = got if many_out else got[:, -1]
    assert got.shape == {"one to many": (3, 6, 4), "many to many": (3, 7, 4)}.get(kind, (3, 4))
    y, state, outputs = X[:, 0], (jnp.zeros((3, 5)),), []
    for t in range(6 if kind == "one to many" else x.shape[1]):
        y, state = step(X[:, t] if many_in or t == 0 else y, state)
        outputs.append(y)
    want = np.stack(outputs, 1) if many_out else y
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_the_state_neither_vanishes_nor_explodes_at_the_start():
    kernel = Recurrent(recurrent.lstm, 5).init(KEY, X)["params"]["hidden_kernel"].reshape(5, 4, 5)
    for gate in range(4):
        np.testing.assert_allclose(kernel[:, gate].T @ kernel[:, gate], np.eye(5), atol=1e-5)
    bias = Recurrent(recurrent.lstm, 5).init(KEY, X)["params"]["input"]["bias"]
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 5))
