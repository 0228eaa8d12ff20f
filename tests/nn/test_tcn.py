"""A temporal convolutional network is PyTorch's convolutions, and sees as far back as it says."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

from adl.nn.tcn import TCN

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(2, 20, 3)).astype("f")


def test_blocks_are_pytorch_s():
    model = TCN((4, 5), 3)
    keys = iter(jax.random.split(KEY, 30))
    params = jax.tree.map(lambda leaf: jax.random.normal(next(keys), leaf.shape), model.init(KEY, X)["params"])
    h = torch.tensor(X).mT
    for block in range(2):
        inputs = h
        for layer in (2 * block, 2 * block + 1):
            kernel = torch.tensor(np.array(params[f"Conv_{layer}"]["kernel"])).permute(2, 1, 0)
            scale = torch.tensor(np.array(params[f"WeightNorm_{layer}"][f"Conv_{layer}/kernel/scale"]))
            kernel = torch._weight_norm(kernel, scale[:, None, None], 0)
            padded = torch.nn.functional.pad(h, (2 * 2**block, 0))
            bias = torch.tensor(np.array(params[f"Conv_{layer}"]["bias"]))
            h = torch.relu(torch.nn.functional.conv1d(padded, kernel, bias, dilation=2**block))
        skip = params[f"Dense_{block}"]
        h = torch.relu(
            h + (inputs.mT @ torch.tensor(np.array(skip["kernel"])) + torch.tensor(np.array(skip["bias"]))).mT
        )
    got, _ = model.apply({"params": params}, X)
    np.testing.assert_allclose(got, h.mT, rtol=1e-4, atol=1e-4)


def test_it_sees_as_far_back_as_it_says():
    model = TCN((4, 4, 4), 2)
    variables = jax.tree.map(jnp.abs, model.init(KEY, X))  # nothing negative, so that no unit is silent
    slope = jax.jit(jax.grad(lambda x: model.apply(variables, x)[0][0, -1].sum()))(jnp.abs(X))
    seen = np.abs(slope[0]).max(-1) > 0
    assert seen[-15] and not seen[:-15].any()  # 1 + 2 (2 - 1) (2^3 - 1)
