"""The diffusion transformer: the identity at first, any size, what it depends on; and Hugging Face's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.diffusion.denoising import Conditioned
from adl.nn.dit import AdaptiveBlock, DiT, grid_places
from adl.nn.embed import Conditioner
from tests.nn.test_unet import wake

KEY = jax.random.key(0)


def net(**changes):
    return DiT(**{"num_layers": 2, "num_heads": 2, "width": 16, **changes})


def test_a_block_is_the_identity_at_first_and_no_longer_once_told():
    x, condition = jax.random.normal(KEY, (2, 5, 8)), jax.random.normal(KEY, (2, 6))
    block = AdaptiveBlock(2)
    variables = jax.jit(block.init)(KEY, x, condition)
    np.testing.assert_array_equal(block.apply(variables, x, condition), x)
    awake = jax.jit(block.apply)(wake(variables), x, condition)
    assert np.abs(awake - x).min() > 0


@pytest.mark.parametrize("patch, shape", [(2, (8, 8, 1)), (3, (7, 5, 3)), (1, (2, 3, 4)), (4, (3, 9, 2))])
def test_output_has_the_shape_of_the_input_and_starts_at_zero(patch, shape):
    x, condition = jnp.ones((2, *shape)), jnp.ones((2, 4))
    for features in (None, 5):
        model = net(patch=patch, features=features)
        output, _ = jax.eval_shape(model.init_with_output, KEY, x, condition)
        assert output.shape == (2, *shape[:2], features or shape[2])
    assert not net(patch=patch).init_with_output(KEY, x, condition)[0].any()


def test_every_pixel_sees_every_pixel_and_the_condition():
    model, x, condition = net(), jax.random.normal(KEY, (1, 5, 4, 1)), jnp.ones((1, 4))
    variables = wake(model.init(KEY, x, condition))
    seen = jax.jacobian(lambda x: model.apply(variables, x, condition)[0, :, :, 0].reshape(-1))(x)
    told = jax.jacobian(lambda c: model.apply(variables, x, c)[0, :, :, 0].reshape(-1))(condition)
    assert (np.abs(seen) > 0).all() and (np.abs(told) > 0).all()


def test_beside_a_conditioner_no_parameter_is_shared_by_name():
    model = Conditioned(net(), Conditioner(3, 8))
    args = jnp.ones((2, 4, 4, 1)), jnp.zeros(2), jnp.zeros(2, int)
    together = jax.eval_shape(model.init, KEY, *args)["params"]
    alone = [jax.eval_shape(net().init, KEY, args[0], jnp.ones((2, 32)))["params"]]
    alone.append(jax.eval_shape(Conditioner(3, 8).init, KEY, *args[1:])["params"])
    assert len(together) == sum(map(len, alone))


def test_computes_in_bfloat16_on_float32_parameters():
    model, args = net(dtype=jnp.bfloat16), (jnp.ones((2, 8, 8, 1)), jnp.ones((2, 4)))
    output, variables = jax.eval_shape(model.init_with_output, KEY, *args)
    assert output.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert "bf16" in str(jax.make_jaxpr(model.apply)(variables, *args))


@pytest.mark.parametrize("width", [6, 18, 4])
def test_a_width_without_places_is_one_line(width):
    with pytest.raises(BadInput, match=f"a width of {width} has no places of a grid: it must be a multiple of 4"):
        grid_places(2, 2, width)


def test_places_are_their_formula():
    places = np.asarray(grid_places(3, 5, 12)[0]).reshape(3, 5, 12)
    for row, column in ((0, 0), (2, 1), (1, 4)):
        rates = 10000 ** (-4 * np.arange(3) / 12)
        want = np.concatenate([f(rates * at) for at in (column, row) for f in (np.sin, np.cos)])
        np.testing.assert_allclose(places[row, column], want, atol=1e-6)


@pytest.mark.full
def test_equal_to_diffusers_under_its_weights():
    torch, diffusers = pytest.importorskip("torch"), pytest.importorskip("diffusers")
    torch.manual_seed(0)
    size = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "sample_size": 6, "patch_size": 2}
    theirs = diffusers.DiTTransformer2DModel(
        in_channels=3, out_channels=3, num_embeds_ada_norm=7, activation_fn="gelu-approximate", **size
    ).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    blocks = theirs.transformer_blocks
    for block in blocks[1:]:  # one embedding of time and class, as in the paper, where theirs has one a block
        block.norm1.emb.load_state_dict(blocks[0].norm1.emb.state_dict())
    x, time, label = torch.randn(2, 3, 6, 6), torch.tensor([3, 700]), torch.tensor([1, 6])
    with torch.no_grad():
        want = theirs(x, timestep=time, class_labels=label).sample.permute(0, 2, 3, 1).numpy()
        condition = torch.nn.functional.silu(blocks[0].norm1.emb(time, label)).numpy()

    def linear(of):
        return {"kernel": of.weight.detach().numpy().T, "bias": of.bias.detach().numpy()}

    params = {"last_told": linear(theirs.proj_out_1), "last": linear(theirs.proj_out_2)}
    patches = theirs.pos_embed.proj
    kernel = patches.weight.detach().permute(2, 3, 1, 0).reshape(-1, 16).numpy()
    params["patches"] = {"kernel": kernel, "bias": patches.bias.detach().numpy()}
    for number, block in enumerate(blocks):
        own = {"query": block.attn1.to_q, "key": block.attn1.to_k, "value": block.attn1.to_v}
        own = {name: linear(of) for name, of in {**own, "out": block.attn1.to_out[0]}.items()}
        think = {f"Dense_{i}": linear(of) for i, of in enumerate((block.ff.net[0].proj, block.ff.net[2]))}
        told = linear(block.norm1.linear)
        params[f"block_{number}"] = {"MultiHeadAttention_0": own, "MLP_0": think, "told": told}
    got = net(width=16).apply({"params": params}, x.permute(0, 2, 3, 1).numpy(), condition)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
