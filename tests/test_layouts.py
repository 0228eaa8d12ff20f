"""Layouts move bytes, never numbers: fifty steps on eight devices are those of one, and each device holds its part."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl import data, diffusion
from adl.autoencoder.vae import bernoulli, perceptrons, vae
from adl.core import (
    BadInput,
    Learner,
    Mean,
    average_params,
    fsdp,
    full_pass,
    jitted,
    layout,
    make_mesh,
    over_seeds,
    probe,
    replicated,
    sharded,
    tensor,
)
from adl.diffusion import denoising
from adl.nn.embed import Conditioner
from adl.nn.resnet import BatchNorm, ResNet
from adl.nn.transformer import GPT
from adl.nn.unet import UNet
from adl.sequence.language import language_model
from adl.supervised.classification import classifier, views

KEY, STEPS = jax.random.key(3), 50
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 16, 8, 8, 1), np.uint8)
LABELS = (IMAGES.mean((2, 3, 4)) > 127).astype(np.int32)
TOKENS = RNG.integers(0, 16, (4, 16, 9))
LAYOUTS = {
    "replicated": ({"data": 8}, (replicated,)),
    "fsdp": ({"data": 8}, (fsdp,)),
    "tensor": ({"data": 4, "model": 2}, (tensor(),)),
    "tensor and fsdp": ({"data": 2, "model": 4}, (tensor(), fsdp)),
}


def optimizer():
    """Adam at a rate that does not amplify rounding, and an average of the parameters."""
    return optax.chain(optax.adam(1e-4, eps=1e-4), average_params(0.9))


def classify():
    """Batch norm, whose statistics are of the global batch, and dropout."""
    model = ResNet(2, (8, 8), norm=functools.partial(BatchNorm), dropout=0.3)
    return classifier(model, optimizer(), prepare=views(data.image.unit))


def autoencode():
    def prepare(key, batch):
        return data.image.unit(batch["image"]).reshape(len(batch["image"]), -1)

    return vae(perceptrons(2, (16,), 64), optimizer(), likelihood=bernoulli, prepare=prepare)


def denoise():
    unet = UNet((8, 8), num_blocks=1, attention=(1,), num_groups=2, dropout=0.3)
    model = denoising.Conditioned(unet, Conditioner(2, 8))
    prepare = denoising.labelled(data.image.symmetric, num_classes=2)
    return diffusion.edm.edm(model, optimizer(), preconditioner=diffusion.preconditioner.karras(0.5), prepare=prepare)


def language():
    model = GPT(vocab_size=16, max_length=8, num_layers=2, num_heads=4, width=16, dropout=0.3)
    return language_model(model, optimizer())


def images(step):
    return {"image": IMAGES[step % 4], "label": LABELS[step % 4]}


def texts(step):
    return {"token": TOKENS[step % 4]}


MODELS = {"classify": (classify, images), "vae": (autoencode, images), "diffusion": (denoise, images)}
MODELS["transformer"] = (language, texts)


def trained(alg, batch):
    """Losses of the steps, and what the run ends with."""
    state, losses = alg.init(KEY, batch(0)), []
    for step in range(STEPS):
        state, metrics = alg.step(jax.random.fold_in(KEY, step), state, batch(step))
        losses.append(float(metrics["loss"].value))  # waits: collectives of virtual devices do not queue well
    return np.array(losses), state


@functools.cache
def on_one_device(name):
    make, batch = MODELS[name]
    return trained(jitted(make()), batch)


def combinations():
    """All; by default each layout of the transformer, and of the others the one that splits most."""
    for name in MODELS:
        for laid in LAYOUTS:
            few = name == "transformer" or (laid == "tensor and fsdp" and name != "diffusion")
            yield pytest.param(name, laid, marks=() if few else pytest.mark.full)


@pytest.mark.parametrize(("name", "laid"), list(combinations()))
def test_fifty_steps_are_those_of_one_device(name, laid):
    make, batch = MODELS[name]
    axes, layouts = LAYOUTS[laid]
    losses, state = trained(sharded(make(), make_mesh(axes), *layouts), batch)
    want, reference = on_one_device(name)
    np.testing.assert_allclose(losses, want, rtol=1e-5, atol=1e-5)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=2e-5)
    jax.tree.map(close, state.averaged, reference.averaged)


def held(name, laid):
    """Share of the state's bytes that one device holds."""
    make, batch = MODELS[name]
    axes, layouts = LAYOUTS[laid]
    state = sharded(make(), make_mesh(axes), *layouts).init(KEY, batch(0))
    measured = sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))
    assert measured == layout.bytes_per_device(state)
    return measured / sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def test_memory_falls_with_the_layout():
    shares = {laid: held("transformer", laid) for laid in LAYOUTS}
    assert shares["replicated"] == 1
    assert 0.5 < shares["tensor"] < 0.55  # norms, positions and the biases after a sum stay whole
    assert 1 / 8 <= shares["fsdp"] < 0.13
    assert 1 / 8 <= shares["tensor and fsdp"] < 0.16  # what rules leave is split over the data's two only


def specs(state, axes, *layouts, split=None):
    found = layout.shardings(split, state, make_mesh(axes), layouts)
    return jax.tree.map(lambda sharding: tuple(sharding.spec), found)


def test_layers_split_in_pairs():
    """What widens by its outputs, what narrows by its inputs, optimizer's state alike, and under seeds one axis on."""
    batch = texts(0)
    for extra, alg in (((), language()), ((None,), over_seeds(language(), 3))):
        found = specs(jax.eval_shape(alg.init, KEY, batch), {"data": 4, "model": 2}, tensor())
        for params in (found.params, optax.tree.get(found.opt_state, "mu")):
            block = params["Block_0"]
            attention, mlp = block["MultiHeadAttention_0"], block["MLP_0"]
            for wide in (attention["query"], attention["key"], attention["value"], mlp["Dense_0"]):
                assert wide == {"kernel": (*extra, None, "model"), "bias": (*extra, "model")}
            for narrow in (attention["out"], mlp["Dense_1"]):
                assert narrow == {"kernel": (*extra, "model", None), "bias": (*extra, None)}
            assert params["tokens"]["embedding"] == (*extra, "model", None)
            assert block["LayerNorm_0"]["scale"] == (*extra, None)


def test_fsdp_takes_what_is_left():
    leaf = {"MLP_0": {"Dense_0": {"kernel": jnp.zeros((12, 16)), "bias": jnp.zeros(6)}}}
    found = specs(leaf, {"data": 4, "model": 2}, tensor(), fsdp)["MLP_0"]["Dense_0"]
    assert found == {"kernel": ("data", "model"), "bias": ("model",)}
    assert specs(leaf, {"data": 8}, tensor(), fsdp)["MLP_0"]["Dense_0"] == {"kernel": (None, "data"), "bias": (None,)}


def test_what_the_algorithm_splits_comes_first():
    state = {"chains": jnp.zeros((2, 8, 64)), "scale": jnp.zeros(64)}
    found = specs(state, {"data": 8}, tensor(), fsdp, split={"chains": 1, "scale": None})
    assert found == {"chains": (None, "data", None), "scale": ("data",)}


def test_what_does_not_divide_stays_whole():
    leaf = {"MLP_0": {"Dense_0": {"kernel": jnp.zeros((5, 9)), "bias": jnp.zeros(())}}}
    found = specs(leaf, {"data": 4, "model": 2}, tensor(), fsdp)["MLP_0"]["Dense_0"]
    assert found == {"kernel": (None, None), "bias": ()}


@pytest.mark.parametrize("axes", [{"data": 3}, {"data": 4, "model": 4}, {"rows": 8}])
def test_a_mesh_that_is_not_the_machine_is_refused(axes):
    with pytest.raises(BadInput, match=r"number of devices, 8|must be data and model"):
        make_mesh(axes)


def test_a_full_pass_is_spread_over_the_devices():
    """The same means, whole on every device, of batches each device works on a part of."""
    batches = {"x": np.arange(96, dtype="f").reshape(3, 32), "mask": np.ones((3, 32), "f")}

    def measure(key, state, batch):
        return {"mean": Mean.of(batch["x"] * state.params, batch["mask"]), "doubled": 2 * batch["x"]}

    looks = full_pass(measure, batches, 90)
    learner, mesh = Learner(jnp.float32(2.0), (), {}), make_mesh()
    found = probe.jitted(looks, mesh)(KEY, learner)
    jax.tree.map(np.testing.assert_allclose, found, probe.jitted(looks)(KEY, learner))
    assert all(leaf.sharding.is_fully_replicated and len(leaf.devices()) == 8 for leaf in jax.tree.leaves(found))
    with jax.set_mesh(mesh):
        even, odd = jax.jit(layout.spread)((jnp.ones(32), jnp.ones(30)))
    assert even.sharding.shard_shape((32,)) == (4,) and odd.sharding.is_fully_replicated
