"""The masked convolution is PyTorch's with a kernel of zeros below and to the right."""

import jax
import numpy as np
import torch

from adl.pixel.causal_convolution import CausalConv


def test_it_is_pytorchs_with_a_masked_kernel():
    conv = CausalConv(4, 6, (2, 2), "A", num_groups=2)
    x = np.asarray(jax.random.normal(jax.random.key(0), (2, 5, 6, 4)))
    variables = conv.init(jax.random.key(1), x)
    kernel = np.zeros((5, 5, 4, 6), np.float32)
    kernel[:2] = variables["params"]["kernel"][:2]
    kernel[2, :2] = variables["params"]["kernel"][2, :2]
    # At the pixel itself: odd features (the second channel) see even ones (the first).
    kernel[2, 2, ::2, 1::2] = variables["params"]["kernel"][2, 2, ::2, 1::2]
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(x.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()),
        padding=2,
    )
    np.testing.assert_allclose(conv.apply(variables, x), theirs.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
