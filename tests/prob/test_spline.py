"""The rational-quadratic spline is Hugging Face's, rises through its knots, and its slope is autodiff's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.prob.spline import rational_spline

RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(6, 3 * 5 - 1)).astype("f")
X = np.array([-2.9, -0.3, 0.0, 2.2, 2.999, 7.0], "f")


@pytest.mark.full
def test_it_is_hugging_faces():
    torch = pytest.importorskip("torch")
    vits = pytest.importorskip("transformers.models.vits.modeling_vits")
    slopes = RAW[:, 10:] + np.float32(np.log(np.expm1(1 - 1e-3)))  # there zeros are no identity
    parts = (torch.tensor(part[None]) for part in (RAW[:, :5], RAW[:, 5:10], slopes))
    options = {"tail_bound": 3.0, "min_bin_width": 1e-3, "min_bin_height": 1e-3, "min_derivative": 1e-3}
    raw = tuple(parts)
    ours = rational_spline(jnp.asarray(RAW), bound=3.0)
    for reverse, way in ((False, ours.forward_and_log_det), (True, ours.inverse_and_log_det)):
        want, log_det = vits._unconstrained_rational_quadratic_spline(
            torch.tensor(X[None]), *raw, reverse=reverse, **options
        )
        y, change = way(jnp.asarray(X))
        np.testing.assert_allclose(y, want[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(change, float(log_det.sum()), rtol=1e-4, atol=1e-4)


def test_slope_is_autodiffs_and_the_inverse_inverts():
    spline = rational_spline(jnp.asarray(RAW), bound=3.0)
    y, log_det = spline.forward_and_log_det(jnp.asarray(X))
    slope = jax.jacobian(lambda x: spline.forward_and_log_det(x)[0])(jnp.asarray(X))
    np.testing.assert_allclose(log_det, np.log(np.diagonal(slope)).sum(), rtol=1e-4)
    back, change = spline.inverse_and_log_det(y)
    np.testing.assert_allclose(back, X, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(change, -log_det, rtol=1e-4, atol=1e-4)


def test_it_rises_through_its_knots_and_is_the_identity_of_zeros_and_outside():
    spline = rational_spline(jnp.asarray(RAW[0]), bound=3.0)
    wide = jnp.linspace(-4, 4, 801)
    many = type(spline)(*(jnp.broadcast_to(v, (801, 6)) for v in spline))
    y = many.forward_and_log_det(wide)[0]
    assert (jnp.diff(y) > 0).all()
    np.testing.assert_array_equal(y[jnp.abs(wide) > 3], wide[jnp.abs(wide) > 3])
    through = type(spline)(*(jnp.broadcast_to(v, (4, 6)) for v in spline))
    np.testing.assert_allclose(through.forward_and_log_det(spline.x[1:-1])[0], spline.y[1:-1], rtol=1e-4, atol=1e-5)
    flat = rational_spline(jnp.zeros((801, 14)), bound=3.0)
    np.testing.assert_allclose(flat.forward_and_log_det(wide)[0], wide, atol=1e-5)
    gradient = jax.grad(lambda raw: rational_spline(raw, bound=3.0).forward_and_log_det(jnp.float32(9.0))[0])
    assert jnp.isfinite(gradient(jnp.asarray(RAW[0]))).all()


@pytest.mark.parametrize("size, least, wrong", [(4, 1e-3, "not 4"), (14, 0.3, "do not fit"), (14, 0, "do not fit")])
def test_what_is_no_spline_is_told(size, least, wrong):
    with pytest.raises(BadInput, match=wrong):
        rational_spline(jnp.zeros(size), bound=1.0, least=least)
