"""The residual network: shapes, what a block is at its simplest, what a logit sees, and how statistics move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.nn.resnet import BatchNorm, ResidualBlock, ResNet, group_norm, receptive_fields

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


@pytest.mark.parametrize("stem_stride", [1, 2])
def test_each_stage_halves_rounding_up(stem_stride):
    model = ResNet(10, (8, 16, 24), stem_stride=stem_stride)
    x = jnp.ones((2, 15, 13, 3))
    _, state = jax.eval_shape(
        lambda: model.init_with_output(KEY, x, capture_intermediates=True, mutable=["params", "intermediates"])
    )
    sizes = [state["intermediates"][f"ResidualBlock_{i}"]["__call__"][0].shape for i in range(3)]
    height, width = (15, 13) if stem_stride == 1 else (8, 7)
    for shape, channels in zip(sizes, (8, 16, 24), strict=True):
        assert shape == (2, height, width, channels)
        height, width = -(-height // 2), -(-width // 2)


def test_logits_are_float32_and_parameters_too_in_bfloat16():
    model = ResNet(7, (8, 16), num_blocks=2, dtype=jnp.bfloat16)
    logits, variables = jax.eval_shape(lambda: model.init_with_output(KEY, jnp.ones((3, 8, 8, 1))))
    assert logits.shape == (3, 7) and logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert sum("ResidualBlock" in name for name in variables["params"]) == 4


def test_without_classes_it_ends_with_what_the_head_would_read():
    x = jnp.asarray(RNG.normal(size=(3, 6, 6, 1)), jnp.float32)
    whole, headless = ResNet(7, (8, 16)), ResNet(None, (8, 16), dtype=jnp.bfloat16)
    variables = whole.init(KEY, x)
    head = variables["params"].pop("Dense_0")
    features = ResNet(None, (8, 16)).apply(variables, x)
    assert features.shape == (3, 16)
    logits = whole.apply({"params": {**variables["params"], "Dense_0": head}}, x)
    np.testing.assert_allclose(
        np.asarray(features) @ np.asarray(head["kernel"]) + np.asarray(head["bias"]), logits, atol=1e-5
    )
    assert headless.apply(variables, x).dtype == jnp.float32


def test_block_is_the_identity_where_its_last_convolution_is_zero():
    x = jnp.asarray(RNG.normal(size=(2, 6, 6, 8)), jnp.float32)
    block = ResidualBlock(8, 1, group_norm, jnp.float32)
    variables = block.init(KEY, x)
    assert not np.allclose(block.apply(variables, x), x)
    variables["params"]["Conv_1"]["kernel"] = jnp.zeros_like(variables["params"]["Conv_1"]["kernel"])
    np.testing.assert_array_equal(block.apply(variables, x), x)


def test_block_reaches_two_pixels_far():
    """Two 3x3 convolutions; without normalisation over the picture, nothing else carries a pixel further."""
    block = ResidualBlock(8, 1, BatchNorm, jnp.float32)
    x = jnp.asarray(RNG.uniform(1, 2, size=(1, 9, 9, 8)), jnp.float32)  # > 0: no unit of the first layer is dead
    variables = block.init(KEY, x)
    seen = jax.grad(lambda x: jnp.square(block.apply(variables, x)[0, 4, 4]).sum())(x)
    reach = np.abs(seen[0]).sum(-1) > 0
    want = np.zeros((9, 9), bool)
    want[2:7, 2:7] = True
    np.testing.assert_array_equal(reach, want)


@pytest.mark.parametrize(("stem_stride", "num_blocks"), [(2, 1), (1, 2)])
def test_receptive_fields_are_what_units_see(stem_stride, num_blocks):
    """Of a unit in the middle, along each axis: where the picture's gradient is."""
    model = ResNet(3, (8, 8), num_blocks, stem_stride, BatchNorm)
    x = jnp.asarray(RNG.uniform(1, 2, size=(1, 48, 48, 1)), jnp.float32)
    variables, names = model.init(KEY, x), list(receptive_fields(model))

    def middle(x):
        _, seen = model.apply(variables, x, mutable=["intermediates"], capture_intermediates=True)
        maps = [seen["intermediates"][name]["__call__"][0] for name in names]
        return [jnp.square(one[0, one.shape[1] // 2, one.shape[2] // 2]).sum() for one in maps]

    for name, slopes in zip(names, jax.jit(jax.jacobian(middle))(x), strict=True):
        for axis in (1, 2):
            seen = np.flatnonzero(np.abs(slopes[0, ..., 0]).sum(axis - 1) > 0)
            assert seen[-1] - seen[0] + 1 == receptive_fields(model)[name].size, name
    assert names == [name for name in names if name in variables["params"]]
    assert len(names) == 1 + 2 * num_blocks


def test_group_norm_is_over_a_picture_and_a_group_of_channels():
    norm = group_norm(dtype=jnp.float32)
    x = RNG.normal(3, 2, size=(2, 5, 5, 16)).astype("f")
    variables = norm.init(KEY, x)
    groups = x.astype(np.float64).reshape(2, 25, 8, 2)
    mean, std = groups.mean((1, 3), keepdims=True), groups.std((1, 3), keepdims=True)
    np.testing.assert_allclose(norm.apply(variables, x), ((groups - mean) / std).reshape(x.shape), atol=1e-4)


def test_examples_do_not_see_each_other():
    model = ResNet(3, (8,))
    x = jnp.asarray(RNG.normal(size=(3, 6, 6, 1)), jnp.float32)
    variables = model.init(KEY, x)
    np.testing.assert_allclose(model.apply(variables, x)[:1], model.apply(variables, x[:1]), atol=1e-5)


def test_batch_norm_moves_its_statistics_only_where_it_may():
    norm, x = BatchNorm(momentum=0.75), RNG.normal(3, 2, size=(64, 4)).astype("f")
    variables = norm.init(KEY, x)
    moved, state = norm.apply(variables, x, mutable=["batch_stats"])
    np.testing.assert_allclose(moved.mean(0), np.zeros(4), atol=1e-5)
    np.testing.assert_allclose(moved.std(0), np.ones(4), atol=1e-4)
    statistics = state["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(statistics["mean"], 0.25 * x.mean(0), rtol=1e-4)
    np.testing.assert_allclose(statistics["var"], 0.75 + 0.25 * x.var(0), rtol=1e-4)
    np.testing.assert_allclose(norm.apply(variables, x), x, rtol=1e-4)  # at rest: mean 0 and variance 1 as begun


def test_batch_norm_is_over_the_whole_batch_of_all_devices():
    x = RNG.normal(3, 2, size=(4, 6, 3)).astype("f")
    variables = BatchNorm().init(KEY, x[0])
    here, there = BatchNorm(), BatchNorm(axis="data")
    want, whole = here.apply(variables, x.reshape(-1, 3), mutable=["batch_stats"])
    got, parts = jax.vmap(lambda x: there.apply(variables, x, mutable=["batch_stats"]), axis_name="data")(x)
    np.testing.assert_allclose(got.reshape(-1, 3), want, atol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, np.stack([b] * 4), rtol=1e-4), parts, whole)
