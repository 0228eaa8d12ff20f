"""Linear recurrences in parallel are those in sequence; the selective one is Hugging Face's Mamba."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from adl.nn.recurrence import LRU, Mamba, Selective, by_association, in_turn, linear_scan

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(2, 9, 6)).astype("f")


@pytest.mark.parametrize("scan", [by_association, in_turn, linear_scan])
@pytest.mark.parametrize("time", [1, 7])
def test_the_scan_is_the_loop(scan, time):
    """With its gradients, which depend on nothing but what comes after."""
    rng = np.random.default_rng(1)
    a, b, weight = rng.normal(size=(3, 2, time, 4)) + 1j * rng.normal(size=(3, 2, time, 4))
    h = start = rng.normal(size=(2, 4)) + 1j * rng.normal(size=(2, 4))
    want = []
    for t in range(time):
        h = a[:, t] * h + b[:, t]
        want.append(h)
    a, b, start, weight = (jnp.asarray(z, jnp.complex64) for z in (a, b, start, weight))
    got, back = jax.vjp(lambda b, start: (scan(a, b, start) * weight).real.sum(), b, start)
    np.testing.assert_allclose(got, (np.stack(want, 1) * weight).real.sum(), rtol=1e-3)
    np.testing.assert_allclose(scan(a, b, start), np.stack(want, 1), rtol=1e-3, atol=1e-3)  # products up to about 100
    slope = np.zeros((2, 4), complex)
    for t in reversed(range(time)):  # h_t counts for itself and through h_{t+1}
        slope = np.asarray(weight)[:, t] + (np.asarray(a)[:, t + 1] * slope if t + 1 < time else 0)
        np.testing.assert_allclose(back(1.0)[0][:, t], slope, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(back(1.0)[1], np.asarray(a)[:, 0] * slope, rtol=1e-3, atol=1e-3)


def test_the_linear_recurrent_unit_is_its_loop():
    model = LRU(8)
    variables = model.init(KEY, X)
    p = {name: np.asarray(value, np.float64) for name, value in variables["params"].items()}
    factor = np.exp(-np.exp(p["log_rate"]) + 1j * np.exp(p["log_angle"]))
    assert np.all((np.abs(factor) > 0.4) & (np.abs(factor) < 0.999))
    np.testing.assert_allclose(np.exp(p["log_gamma"]), np.sqrt(1 - np.abs(factor) ** 2), rtol=1e-5)
    h, want = np.zeros((2, 8)), []
    for t in range(9):
        h = factor * h + np.exp(p["log_gamma"]) * (X[:, t] @ (p["input_real"] + 1j * p["input_imaginary"]))
        want.append((h @ (p["output_real"] + 1j * p["output_imaginary"])).real + p["skip"] * X[:, t])
    out, state = model.apply(variables, X)
    np.testing.assert_allclose(out, np.stack(want, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state, h, rtol=1e-4, atol=1e-5)


def test_mamba_is_hugging_face_s():
    from transformers.models.mamba.modeling_mamba import MambaConfig, MambaMixer

    torch.manual_seed(0)
    peer = MambaMixer(MambaConfig(hidden_size=6, state_size=4, expand=2, conv_kernel=3, time_step_rank=2), 0)
    theirs = {name: np.asarray(value.detach()) for name, value in peer.named_parameters()}
    selective = {
        "select": {"kernel": theirs["x_proj.weight"].T},
        "step": {"kernel": theirs["dt_proj.weight"].T, "bias": theirs["dt_proj.bias"]},
        "log_rate": theirs["A_log"],
        "skip": theirs["D"],
    }
    params = {
        "in": {"kernel": theirs["in_proj.weight"].T},
        "convolution": {"kernel": theirs["conv1d.weight"].transpose(2, 1, 0), "bias": theirs["conv1d.bias"]},
        "Selective_0": selective,
        "out": {"kernel": theirs["out_proj.weight"].T},
    }
    with torch.no_grad():
        want = peer.eval()(torch.tensor(X)).numpy()
    model = Mamba(num_states=4, kernel_size=3, rank=2)
    jax.tree.map(
        np.testing.assert_array_equal, *(jax.tree.map(np.shape, p) for p in (params, model.init(KEY, X)["params"]))
    )
    np.testing.assert_allclose(model.apply({"params": params}, X)[0], want, rtol=1e-4, atol=1e-5)


def test_a_selective_recurrence_starts_as_the_source_says():
    params = Selective(4).init(KEY, X)["params"]
    np.testing.assert_allclose(np.exp(params["log_rate"]), np.tile(np.arange(1, 5.0), (6, 1)), rtol=1e-5)
    steps = np.log1p(np.exp(np.asarray(params["step"]["bias"], np.float64)))
    assert np.all((steps > 0.9e-3) & (steps < 0.11))
