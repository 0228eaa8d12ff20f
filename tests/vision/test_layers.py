"""What is read in layers is what a linear probe of each would read, and only of what each says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adl import data
from adl.core import BadInput
from adl.measure.representation import linear_probe, linear_svm
from adl.nn.convolution import Conv, convolve
from adl.nn.mlp import flat
from adl.nn.resnet import ResNet
from adl.vision.filters import KERNELS, filtered, responses
from adl.vision.layers import layer_outputs, read_in_layers, summary
from experiments.vision import features

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
TRAIN, TEST = data.load("digits", "train[:150]"), data.load("digits", "test[:60]")


class Small(nn.Module):
    """Two layers whose maps are pictures, and logits."""

    @nn.compact
    def __call__(self, x):
        h = nn.relu(Conv(4, (3, 3))(x))
        return nn.Dense(10)(Conv(3, (3, 3), 2)(h).mean((1, 2)))


def test_outputs_are_those_of_the_layers_asked_for():
    x = RNG.normal(size=(2, 6, 6, 1)).astype("f")
    model = ResNet(3, (8, 8))
    variables = model.init(KEY, x)
    block, first = layer_outputs(model, variables, x, ["ResidualBlock_1", "Conv_0"])
    np.testing.assert_allclose(first, convolve(x, variables["params"]["Conv_0"]["kernel"]), atol=1e-6)
    assert block.shape == (2, 3, 3, 8) and first.shape == (2, 6, 6, 8)
    with pytest.raises(KeyError, match="Conv_1"):
        layer_outputs(model, variables, x, ["Conv_1"])


@pytest.mark.parametrize(
    ("shape", "num", "sides"), [((6, 6, 4), 16, 2), ((6, 6, 4), 15, 1), ((6, 6, 4), 1, 1), ((3, 5, 2), 99, 3)]
)
def test_summary_has_the_most_parts_that_fit(shape, num, sides):
    maps = RNG.normal(size=(2, *shape)).astype("f")
    got = summary(maps, num)
    assert got.shape == (2, sides**2 * shape[-1])
    if shape[0] % sides == 0 and shape[1] % sides == 0:
        np.testing.assert_allclose(got.reshape(2, -1, shape[-1]).mean(1), maps.mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize("are_hands", [True, False])
def test_what_is_read_is_what_a_probe_of_each_reads(are_hands):
    model, x = Small(), data.image.unit(TRAIN.arrays["image"][:1])
    learned, before = model.init(jax.random.key(7), x), model.init(KEY, x)
    probe = read_in_layers(
        *(model, {"Conv_0": "first", "Conv_1": "second"}, TRAIN, TEST),
        **{"variables": lambda state: state, "encode": data.image.unit, "numbers": 64, "l2": 0.02},
        by_hand={"squares": lambda image: flat(jnp.square(data.image.unit(image)))} if are_hands else {},
    )
    found = {name: float(mean.value) for name, mean in jax.jit(probe)(KEY, learned).items()}

    def alone(represent, **how):
        probe = linear_probe(represent, TRAIN, TEST, num_classes=10, l2=0.02, **how)
        return float(jax.jit(probe)(KEY, learned)["accuracy"].value)

    def second(variables):
        return lambda key, state, image: summary(layer_outputs(model, variables, image / 255, ["Conv_1"])[0], 64)

    names = {"pixels", "first", "second", "untrained first", "untrained second", "learned"}
    assert set(found) == names | ({"squares", "gain"} if are_hands else set())
    assert found["learned"] == pytest.approx(found["second"] - found["untrained second"], abs=1e-6)
    if are_hands:
        svm = alone(lambda key, state, image: flat(jnp.square(image / 255)), fit=linear_svm)
        assert found["squares"] == pytest.approx(svm, abs=0.02)
        assert found["gain"] == pytest.approx(found["second"] - found["squares"], abs=1e-6)
    else:
        assert found["pixels"] == pytest.approx(alone(lambda key, state, image: flat(image / 255.0)), abs=0.02)
        assert found["second"] == pytest.approx(alone(second(learned)), abs=0.02)
        assert found["untrained second"] == pytest.approx(alone(second(before)), abs=0.02)


def test_responses_are_of_the_learned_kernels_and_of_those_made_by_hand():
    image, kernels = RNG.integers(0, 256, (2, 6, 5, 3)).astype(np.uint8), RNG.normal(size=(3, 3, 3, 4)).astype("f")
    seen = responses(image, data.image.unit, lambda state: state)(KEY, kernels)
    x = image / np.float32(255)
    np.testing.assert_allclose(seen["maps"], np.moveaxis(convolve(x, kernels), -1, 1), atol=1e-5)
    assert seen["learned"].shape == (4, 3, 3, 3) and seen["by_hand"].shape == (5, 3, 3, 1)
    grey = filtered(x.mean(-1, keepdims=True), KERNELS["edges"])[..., 0]
    np.testing.assert_allclose(seen["by_hand_maps"][:, list(KERNELS).index("edges")], grey, atol=1e-5)


def test_cells_that_do_not_fit_into_a_picture_are_refused():
    with pytest.raises(BadInput, match=r"^--cell 5: a block of HOG is two cells wide, and pictures are 8 x 8 pixels$"):
        features.load(features.Config(dataset="digits", cell=5))
