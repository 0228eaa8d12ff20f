"""The U-Net at even and uneven sizes, and what its output depends on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import tree
from adl.diffusion.denoising import Conditioned
from adl.nn import embed
from adl.nn.embed import Conditioner
from adl.nn.linknet import LinkNet
from adl.nn.resnet import BatchNorm
from adl.nn.unet import UNet, depth_to_space, space_to_depth

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def net(**changes):
    return Conditioned(UNet((8, 16), num_blocks=1, num_groups=4, attention=(1,), **changes), Conditioner(10, 8))


def wake(variables):
    """Parameters moved off their zeros, so that every path carries a signal."""
    leaves, structure = jax.tree.flatten(variables)
    keys = jax.random.split(KEY, len(leaves))
    return structure.unflatten([x + 0.1 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)])


@pytest.fixture(scope="module")
def awake():
    model = net()
    x = jax.random.normal(KEY, (2, 8, 8, 1))
    noise, label = jnp.zeros(2), jnp.array([3, 10])
    return jax.jit(model.apply), wake(jax.jit(model.init)(KEY, x, noise, label)), x, noise, label


@pytest.mark.parametrize("channels, shape", [((8, 16), (8, 8, 1)), ((8, 8, 8, 8), (28, 28, 1)), ((8, 8), (7, 5, 3))])
def test_output_has_the_shape_of_the_input(channels, shape):
    for features in (None, 5):
        model = UNet(channels, num_blocks=2, num_groups=4, features=features)
        for condition in (None, jnp.zeros((2, 32))):
            output, _ = jax.eval_shape(model.init_with_output, KEY, jnp.ones((2, *shape)), condition)
            assert output.shape == (2, *shape[:2], features or shape[2])


def test_computes_in_bfloat16_on_float32_parameters():
    model = net(dtype=jnp.bfloat16)
    args = jnp.ones((2, 8, 8, 1)), jnp.zeros(2), jnp.zeros(2, int)
    output, variables = jax.eval_shape(model.init_with_output, KEY, *args)
    assert output.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert "bf16" in str(jax.make_jaxpr(model.apply)(variables, *args))


def test_starts_at_zero(awake):
    apply, _, *args = awake
    assert not apply(jax.jit(net().init)(KEY, *args), *args).any()


def test_a_model_without_classes_listens_to_noise_alone():
    model, noise = Conditioner(0, 8), jnp.array([-1.0, 0.5])
    variables = model.init(KEY, noise, None)
    assert "Embed_0" not in variables["params"] and model.apply(variables, noise, None).shape == (2, 32)
    assert not np.allclose(*model.apply(variables, noise, None))


def test_listens_to_class_noise_and_every_pixel(awake):
    apply, variables, x, noise, label = awake
    output = apply(variables, x, noise, label)
    for changed in [(x, noise, 9 - label % 10), (x, noise + 0.1, label)]:
        assert (np.abs(apply(variables, *changed) - output).max((1, 2, 3)) > 1e-3).all()
    # The field of view is the whole picture: one corner of the output depends on every pixel of the input.
    reach = jax.jit(jax.grad(lambda x: apply(variables, x, noise, label)[:, 0, 0].sum()))(x)
    assert (reach != 0).all()


def test_examples_do_not_mix(awake):
    apply, variables, x, noise, label = awake
    output = apply(variables, x, noise, label)
    np.testing.assert_allclose(apply(variables, x[::-1], noise[::-1], label[::-1])[::-1], output, rtol=1e-4, atol=1e-5)
    other = apply(variables, x.at[0].set(0), noise, label)
    np.testing.assert_allclose(other[1], output[1], rtol=1e-4, atol=1e-5)


def test_dropout_acts_only_with_a_key(awake):
    apply, variables, *args = awake
    model = net(dropout=0.5)
    plain = apply(variables, *args)
    np.testing.assert_allclose(jax.jit(model.apply)(variables, *args), plain, rtol=1e-5, atol=1e-6)
    noisy = jax.jit(lambda key: model.apply(variables, *args, rngs={"dropout": key}))(KEY)
    assert np.abs(noisy - plain).max() > 1e-3


def test_sinusoids_are_the_definition():
    x = jnp.asarray([[0.0, 1.5], [-2.0, 40.0]])
    got = embed.sinusoidal(x, 6, slowest=0.01, fastest=1.0)
    angles = np.asarray(x)[..., None] * np.array([1.0, 0.1, 0.01])
    np.testing.assert_allclose(got, np.concatenate([np.cos(angles), np.sin(angles)], -1), atol=1e-5)


def test_patches_are_folded_into_channels_and_back():
    x = RNG.normal(size=(2, 6, 4, 3)).astype("f")
    folded = np.asarray(space_to_depth(x, 2))
    for row, column in np.ndindex(3, 2):
        square = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        np.testing.assert_array_equal(folded[:, row, column], square.reshape(2, -1))
    np.testing.assert_array_equal(depth_to_space(folded, 2), x)
    with pytest.raises(AssertionError):
        space_to_depth(x, 4)


def test_a_network_of_patches_is_one_of_folded_pictures_and_takes_any_size():
    x = jnp.asarray(RNG.normal(size=(2, 8, 4, 3)), jnp.float32)
    whole = UNet((8, 8), 1, features=5, patch=2)
    variables = wake(whole.init(KEY, x))
    inner = UNet((8, 8), 1, features=20)
    got = inner.apply(variables, space_to_depth(x, 2))
    np.testing.assert_allclose(whole.apply(variables, x), depth_to_space(got, 2), atol=1e-5)
    uneven = whole.apply(variables, x[:, :7, :3])
    padded = whole.apply(variables, jnp.pad(x[:, :7, :3], ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge"))
    assert uneven.shape == (2, 7, 3, 5)
    np.testing.assert_array_equal(uneven, padded[:, :7, :3])


def test_normalises_as_it_is_asked_to():
    x = jnp.asarray(RNG.normal(size=(2, 8, 8, 3)), jnp.float32)
    kinds = [jax.tree.leaves_with_path(UNet((8, 8), 1, norm=norm).init(KEY, x)) for norm in (None, BatchNorm)]
    names = ["".join(map(tree.name, (path for path, _ in leaves))) for leaves in kinds]
    assert ["GroupNorm" in name for name in names] == [True, False]
    assert ["batch_stats" in name for name in names] == [False, True]


@pytest.mark.parametrize("fine", [0, 4])
def test_a_network_that_adds_takes_any_size_and_sees_the_whole_picture(fine):
    x = jnp.asarray(RNG.normal(size=(2, 9, 7, 3)), jnp.float32)
    model = LinkNet((8, 8, 16), features=5, patch=2, fine=fine)
    variables = model.init(KEY, x)
    assert model.apply(variables, x).shape == (2, 9, 7, 5)
    np.testing.assert_array_equal(model.apply(variables, x), 0)  # the last map starts there
    slope = jax.grad(lambda x: model.apply(wake(variables), x)[0, 4, 3, 0])(x)
    assert (jnp.abs(slope[0]).sum(-1) > 0).all()
    np.testing.assert_array_equal(slope[1], 0)
