"""Players of pictures: shapes at any size, what each is told, and what spectral normalisation holds them to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.gan.dcgan import deep_convolutions
from adl.gan.networks import convolutions, perceptrons, resolutions
from adl.nn.spectral import SpectralNorm

KEY = jax.random.key(0)
Z = jax.random.normal(KEY, (6, 4))
LABEL = jnp.arange(6) % 3
SHAPES = [(8, 8, 1), (28, 28, 1), (15, 9, 3)]


def pair(kind: str, shape, num_classes: int = 0, **options):
    make = {"mlp": perceptrons, "conv": convolutions, "dcgan": deep_convolutions}[kind]
    return make(shape, (16, 16) if kind == "mlp" else 8, num_classes, **options)


def test_resolutions_halve_rounding_up_to_four_pixels():
    assert resolutions((28, 28, 1)) == ((28, 28), (14, 14), (7, 7), (4, 4))
    assert resolutions((8, 8, 1)) == ((8, 8), (4, 4)) and resolutions((3, 4)) == ((3, 4),)


@pytest.mark.parametrize("kind", ["mlp", "conv", "dcgan"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pictures_of_any_size(kind, shape):
    gen, disc = pair(kind, shape, 3)
    x, variables = gen.init_with_output(KEY, Z, LABEL)
    assert x.shape == (6, *shape) and x.dtype == jnp.float32 and float(jnp.abs(x).max()) < 1
    logits, _ = disc.init_with_output(KEY, x, LABEL)
    assert logits.shape == (6,) and logits.dtype == jnp.float32
    assert not np.allclose(x, gen.apply(variables, -Z, LABEL)) and x.std() > (0.005 if kind == "dcgan" else 0.05)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_both_hear_the_class_and_each_example_only_its_own(kind):
    for model, first in zip(pair(kind, (8, 8, 1), 3), (Z, jax.random.normal(KEY, (6, 8, 8, 1))), strict=True):
        variables = model.init(KEY, first, LABEL)
        answer, other = (np.asarray(model.apply(variables, first, at)) for at in (LABEL, LABEL.at[2].set(0)))
        changed = np.abs(answer - other).reshape(6, -1).max(1) > 1e-4
        np.testing.assert_array_equal(changed, np.arange(6) == 2)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_nothing_is_told_where_there_is_no_class(kind):
    gen, disc = pair(kind, (8, 8, 1))
    x, variables = gen.init_with_output(KEY, Z)
    logits, judge = disc.init_with_output(KEY, x)
    assert logits.shape == (6,)
    assert "Embed" not in str(jax.tree.structure((variables, judge)))


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_every_kernel_of_a_wrapped_discriminator_is_normalised(kind):
    """Scaling all kernels by 3 changes nothing but the biases' share, and there is none at the start."""
    _, disc = pair(kind, (8, 8, 1), 3, wrap=SpectralNorm)
    x = jax.random.normal(KEY, (6, 8, 8, 1))
    variables = disc.init(KEY, x, LABEL)
    scaled = {**variables, "params": jax.tree.map(lambda w: 3 * w, variables["params"])}
    logits = disc.apply(variables, x, LABEL)
    np.testing.assert_allclose(disc.apply(scaled, x, LABEL), logits, rtol=1e-3, atol=1e-6)
    assert float(jnp.abs(logits).max()) > 1e-5


def test_dcgan_s_kernels_are_those_of_its_figure():
    """64 x 64 from 4 x 4 by four transposed convolutions, 1024 channels at the lowest, where the width is 128."""
    gen, disc = jax.eval_shape(
        lambda: [
            m.init(KEY, x)
            for m, x in zip(
                deep_convolutions((64, 64, 3), 128), (jnp.zeros((1, 100)), jnp.zeros((1, 64, 64, 3))), strict=True
            )
        ]
    )
    ups = [gen["params"][f"ConvTranspose_{i}"]["kernel"].shape for i in range(4)]
    assert ups == [(4, 4, 512, 1024), (4, 4, 256, 512), (4, 4, 128, 256), (4, 4, 3, 128)]
    assert gen["params"]["Dense_0"]["kernel"].shape == (100, 16 * 1024)
    downs = [disc["params"][f"Conv_{i}"]["kernel"].shape for i in range(4)]
    assert downs == [(4, 4, 3, 128), (4, 4, 128, 256), (4, 4, 256, 512), (4, 4, 512, 1024)]
