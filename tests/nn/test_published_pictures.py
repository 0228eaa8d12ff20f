"""Published networks that see: their sizes, and that they compute what Hugging Face's do, evaluated and trained."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers

from adl.core import BadInput
from adl.data.safetensors import weights
from adl.nn import pretrained
from adl.nn.convnext import CONVNEXTS, ConvNeXt
from adl.nn.residual import RESNETS, OriginalResNet, UnbiasedBatchNorm
from adl.nn.vision_architectures import VISION
from adl.nn.vision_transformer import TRANSFORMERS, VisionTransformer, between
from tests.nn.test_pretrained import randomly

RNG = np.random.default_rng(0)
NAMES = {"id2label": {i: f"class {i}" for i in range(5)}}
RESNET = {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [2, 1]}
VIT = {
    **{"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20},
    **{"image_size": 32, "patch_size": 8},
}
CONVNEXT = {"hidden_sizes": [8, 16], "depths": [1, 2], "num_stages": 2}
PEERS = {
    "resnet, basic": lambda: transformers.ResNetForImageClassification(
        transformers.ResNetConfig(**{**RESNET, "hidden_sizes": [8, 16], "layer_type": "basic"}, **NAMES)
    ),
    "resnet, bottlenecks": lambda: transformers.ResNetForImageClassification(
        transformers.ResNetConfig(**RESNET, **NAMES)
    ),
    "resnet, strides first": lambda: transformers.ResNetModel(
        transformers.ResNetConfig(**RESNET, downsample_in_bottleneck=True, downsample_in_first_stage=True)
    ),
    "convnext": lambda: transformers.ConvNextForImageClassification(
        transformers.ConvNextConfig(**CONVNEXT, **NAMES, drop_path_rate=0.0)
    ),
    "convnext, without scales": lambda: transformers.ConvNextModel(
        transformers.ConvNextConfig(**CONVNEXT, layer_scale_init_value=0.0, hidden_act="relu", patch_size=[2, 4])
    ),
    "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, **NAMES)),
    "vit, pooled": lambda: transformers.ViTModel(transformers.ViTConfig(**VIT, pooler_output_size=7)),
}
PEERS["convnext, small"] = lambda: transformers.ConvNextForImageClassification(
    transformers.ConvNextConfig(**{**CONVNEXT, "depths": [1, 1]}, **NAMES)
)
LEARN = ["resnet, basic", "resnet, bottlenecks", "convnext, small", "vit"]


@functools.cache
def peer_of(name):
    """The network there, with weights and statistics that all matter."""
    peer = randomly(PEERS[name]())
    with torch.no_grad():
        for module in peer.modules():
            if hasattr(module, "running_mean"):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
    return peer


def tensors_of(peer):
    """As `save_pretrained` names them."""
    return {name: x.detach().numpy() for name, x in saved_names(peer, peer.state_dict()).items()}


def saved_names(peer, tensors):
    """ViT's names in files are not those of its modules."""
    words = {
        "q_proj": "attention.query",
        "k_proj": "attention.key",
        "v_proj": "attention.value",
        "o_proj": "output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    if peer.config.model_type != "vit":
        return tensors
    found = {}
    for name, x in tensors.items():
        name = (
            name.replace("vit.layers.", "vit.encoder.layer.")
            if "vit." in name
            else name.replace("layers.", "encoder.layer.")
        )
        for new, old in words.items():
            name = name.replace(new, old)
        found[name] = x
    return found


def pictures(*shape):
    return RNG.normal(size=shape).astype("f")


def there(x):
    return torch.tensor(np.moveaxis(x, -1, 1))


def output(peer, x, **options):
    found = peer(there(x), **options)
    if hasattr(found, "logits"):
        return found.logits
    is_vit = peer.config.model_type == "vit"
    return found.last_hidden_state[:, 0] if is_vit else found.pooler_output.reshape(len(x), -1)


@pytest.mark.parametrize("name", [name for name in PEERS if name != "convnext, small"])
def test_evaluation(name, tmp_path):
    """Of pictures of odd sizes; and back as a checkpoint, tensor by tensor."""
    peer = peer_of(name).eval()
    peer.save_pretrained(tmp_path)
    config, tensors = weights(tmp_path)
    model, variables, unused = pretrained.load_variables(config, tensors, VISION)
    assert not unused
    x = pictures(2, *((32, 32) if "vit" in name else (37, 45)), 3)
    with torch.no_grad():
        np.testing.assert_allclose(jax.jit(model.apply)(variables, x), output(peer, x), rtol=1e-4, atol=1e-4)
    extras = {of: variables[of] for of in variables if of != "params"}
    back = pretrained.checkpoint_of(config, variables["params"], extras, VISION)
    names = [of for of in tensors if not of.endswith("num_batches_tracked")]
    prefix = VISION[config["model_type"]].prefix
    assert {of.removeprefix(prefix) for of in back} == {of.removeprefix(prefix) for of in names}
    for of in names:
        np.testing.assert_array_equal(back[of if of in back else prefix + of], tensors[of])


def test_vit_pools_as_there():
    peer, x = peer_of("vit, pooled").eval(), pictures(2, 32, 32, 3)
    model, variables, _ = pretrained.load_variables(peer.config.to_dict(), tensors_of(peer), VISION)
    got = jax.jit(lambda x: model.apply(variables, x, method=lambda of, x: of.pool(of.encode(x))))(x)
    with torch.no_grad():
        np.testing.assert_allclose(got, peer(there(x)).pooler_output, rtol=1e-4, atol=1e-4)


def test_vit_sees_other_sizes_with_places_in_between():
    peer = peer_of("vit").eval()
    model, variables, _ = pretrained.load_variables(peer.config.to_dict(), tensors_of(peer), VISION)
    for sides in ((40, 51), (16, 64)):
        x = pictures(2, *sides, 3)
        with torch.no_grad():
            want = output(peer, x, interpolate_pos_encoding=True)
        np.testing.assert_allclose(jax.jit(model.apply)(variables, x), want, rtol=1e-4, atol=1e-4)
    with pytest.raises(BadInput, match="pictures of 32x7 have no patch of 8x8"):
        model.apply(variables, pictures(1, 32, 7, 3))


@pytest.mark.parametrize("size", [(7, 9), (3, 2), (5, 8), (1, 1)])
def test_places_in_between(size):
    x = pictures(5, 4, 3)
    want = torch.nn.functional.interpolate(there(x[None]), size=size, mode="bicubic", align_corners=False)
    np.testing.assert_allclose(between(jnp.asarray(x), size), np.moveaxis(want[0].numpy(), 0, -1), atol=1e-5)


def learned(peer, variables, model, x, label):
    """(our loss, gradients and extras after a step; theirs), all by the names there."""
    peer.train()
    peer.zero_grad()
    loss = torch.nn.functional.cross_entropy(output(peer, x), torch.tensor(label))
    loss.backward()
    extras = {of: variables[of] for of in variables if of != "params"}

    def ours(params):
        logits, new = model.apply({"params": params, **extras}, x, mutable=[*extras])
        return -jax.nn.log_softmax(logits)[jnp.arange(len(x)), label].mean(), new

    (value, extras), grads = jax.jit(jax.value_and_grad(ours, has_aux=True))(variables["params"])
    got = pretrained.checkpoint_of(peer.config.to_dict(), grads, extras, VISION)
    want = {of: p.grad for of, p in peer.named_parameters()}
    want |= {of: x.clone() for of, x in peer.named_buffers()}
    return float(value), got, loss.item(), saved_names(peer, want)


def agree(name, peer, x, label, dtype=np.float32):
    state = {of: x.clone() for of, x in peer.state_dict().items()}
    model, variables, _ = pretrained.load_variables(peer.config.to_dict(), tensors_of(peer), VISION)
    if dtype != np.float32:
        model, variables = model.clone(dtype=dtype), jax.tree.map(lambda leaf: leaf.astype(dtype), variables)
    value, got, loss, want = learned(peer, variables, model, x, label)
    peer.load_state_dict(state)
    assert abs(value - loss) < 1e-4
    parameters = [of for of in got if "running" not in of]
    largest = max(float(want[of].abs().max()) for of in parameters)
    assert len(parameters) == len(list(peer.parameters())) and largest > 1e-3
    for of, x in got.items():
        scale = largest if of in parameters else 1 + float(want[of].abs().max())
        assert np.abs(x - want[of].numpy()).max() <= 1e-4 * scale, of


@pytest.mark.parametrize("name", LEARN)
def test_training(name):
    """Loss, gradients relative to the largest entry, and where the running statistics move."""
    agree(name, peer_of(name), pictures(3, 32, 32, 3), np.array([0, 3, 4]))


@pytest.mark.full
@pytest.mark.parametrize("kind", ["resnet-50", "vit-b", "convnext-t"])
def test_whole_networks(kind):
    """Of the published sizes, with weights as they begin."""
    make = {
        "resnet-50": lambda: transformers.ResNetForImageClassification(transformers.ResNetConfig()),
        "vit-b": lambda: transformers.ViTForImageClassification(transformers.ViTConfig()),
        "convnext-t": lambda: transformers.ConvNextForImageClassification(transformers.ConvNextConfig()),
    }
    torch.manual_seed(0)
    peer, x = make[kind]().eval(), pictures(2, 224, 224, 3)
    model, variables, _ = pretrained.load_variables(peer.config.to_dict(), tensors_of(peer), VISION)
    with torch.no_grad():
        want = output(peer, x)
    np.testing.assert_allclose(jax.jit(model.apply)(variables, x), want, rtol=1e-4, atol=1e-4)
    if kind != "resnet-50":
        return agree(kind, peer, x, np.array([0, 1]))
    # PyTorch's own gradients in float32 differ from those in float64 by 4e-2 of the largest: fifty batch norms do that.
    with jax.enable_x64(True):
        agree(kind, peer.double(), pictures(4, 64, 64, 3).astype(float), np.array([0, 1, 1, 0]), np.float64)


PUBLISHED = {  # parameters, as torchvision and the hub count them, of 1000 classes
    **{"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160},
    **{"resnet152": 60_192_808, "convnext_tiny": 28_589_128, "convnext_small": 50_223_688},
    **{"convnext_base": 88_591_464, "convnext_large": 197_767_336, "vit_b_16": 86_567_656, "vit_b_32": 88_224_232},
    **{"vit_l_16": 304_326_632, "vit_l_32": 306_535_400},
    **{"wide_resnet50_2": 68_883_240, "wide_resnet101_2": 126_886_696},
}
MODELS = [(OriginalResNet, RESNETS), (ConvNeXt, CONVNEXTS), (VisionTransformer, TRANSFORMERS)]


COUNTED = ("resnet18", "wide_resnet50_2", "resnet101", "convnext_tiny", "vit_b_16")  # by default


@pytest.mark.parametrize(
    "name", [name if name in COUNTED else pytest.param(name, marks=pytest.mark.full) for name in PUBLISHED]
)
def test_as_many_parameters_as_published(name):
    of, options = next((of, all[name]) for of, all in MODELS if name in all)
    shapes = jax.eval_shape(of(**options).init, jax.random.key(0), jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32))
    assert sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(shapes["params"])) == PUBLISHED[name]


def test_batch_statistics_over_devices():
    """Under pmap those of the whole batch: of 8 numbers a channel, where each device has 4."""
    x = pictures(2, 4, 3) + 5
    norm = UnbiasedBatchNorm(axis="data")
    variables = norm.init(jax.random.key(0), x[0])
    devices = jax.vmap(lambda x: norm.apply(variables, x, mutable=["batch_stats"]), axis_name="data")
    out, new = devices(x)
    peer = torch.nn.BatchNorm1d(3)
    want = peer(torch.tensor(x.reshape(8, 3))).detach().numpy()
    np.testing.assert_allclose(out.reshape(8, 3), want, atol=1e-5)
    np.testing.assert_allclose(new["batch_stats"]["var"][0], peer.running_var, rtol=1e-5)
    np.testing.assert_allclose(new["batch_stats"]["mean"][1], peer.running_mean, rtol=1e-5)


def test_blocks_are_skipped_in_training_alone():
    """All of a picture or nothing, and what stays is larger, so that the mean is as it was."""
    model = ConvNeXt(None, (8,), (2,), drop_path=0.5, layer_scale=1.0)
    x = pictures(1, 4, 4, 3).repeat(64, 0)
    variables = jax.jit(model.init)(jax.random.key(0), x)

    def last(drop_path, **options):
        of = model.clone(drop_path=drop_path)
        return jax.jit(lambda x: of.apply(variables, x, mutable=["intermediates"], **options))(x)[1]["intermediates"]

    sown = {drop: last(drop, rngs={"dropout": jax.random.key(1)})["maps"][0] for drop in (0.0, 0.5, 0.999)}
    np.testing.assert_array_equal(last(0.5)["maps"][0], last(0.0)["maps"][0])
    whole, some, none = (np.asarray(of) for of in sown.values())
    kept = [np.allclose(picture, none[0] + 2 * (whole[0] - none[0]), atol=1e-4) for picture in some]
    assert all(k or np.allclose(picture, none[0], atol=1e-4) for k, picture in zip(kept, some, strict=True))
    assert 15 < sum(kept) < 49


CHANGES = {
    "model_type": ("resnext", "model_type resnext: no such architecture here; there are resnet, convnext, vit"),
    "hidden_act": ("gelu", 'hidden_act "gelu": this variant of resnet is not computed here'),
    "layer_type": ("wide", 'layer_type "wide": it must be basic or bottleneck'),
    "depths": ([2, 0], "depths [2, 0]: it must be a list of whole numbers"),
    "hidden_sizes": ([16, 32, 64], "depths [2, 1]: it must have as many as hidden_sizes [16, 32, 64]"),
    "embedding_size": (
        9,
        "tensor embedder.embedder.normalization.running_mean does not fit batch_stats/stem/norm/mean",
    ),
    "num_channels": (0, "num_channels 0: it must be a whole number, 1 or more"),
    "downsample_in_bottleneck": (1, "downsample_in_bottleneck 1: it must be true or false"),
    "id2label": ({"0": "a", "2": "b"}, "id2label"),
    "quantization_config": ({"bits": 4}, "quantization_config"),
}
OTHERS = {
    ("convnext", "num_stages", 3): "num_stages 3: depths has 2",
    ("convnext", "patch_size", 0): "patch_size 0: it must be one or two whole numbers",
    ("convnext", "layer_scale_init_value", None): "layer_scale_init_value null: it must be a number",
    ("convnext", "layer_scale_init_value", 0.0): "",  # then its tensors are too many
    ("convnext", "hidden_act", "swish"): "hidden_act swish: it must be one of",
    ("vit", "qkv_bias", False): "qkv_bias false: this variant of vit is not computed here",
    ("vit", "num_attention_heads", 5): "num_attention_heads 5 does not divide hidden_size 12",
    ("vit", "image_size", 64): "tensor embeddings.position_embeddings does not fit positions",
    ("vit", "image_size", 10**12): "image_size 1000000000000: it must be one or two whole numbers, 1 to 32768",
    ("vit", "image_size", (32, 4)): "image_size [32, 4]: it is less than one patch",
    ("vit", "head_dim", 8): "head_dim 8: this variant of vit is not computed here",
    ("vit", "num_hidden_layers", 3): "the checkpoint has no tensor encoder.layer.2",
    ("vit", "layer_norm_eps", "1e-5"): 'layer_norm_eps "1e-5": it must be a number',
}
REFUSED = [("resnet, bottlenecks", field, *change) for field, change in CHANGES.items()]
REFUSED += [(kind, field, value, line) for (kind, field, value), line in OTHERS.items()]


@pytest.mark.parametrize(("name", "field", "value", "line"), REFUSED)
def test_what_would_be_computed_otherwise_is_refused_in_one_line(name, field, value, line):
    peer = peer_of(name)
    config = {**peer.config.to_dict(), field: value}
    if not line:
        assert pretrained.load_variables(config, tensors_of(peer), VISION).unused
        return
    with pytest.raises(BadInput) as error:
        pretrained.load_variables(config, tensors_of(peer), VISION)
    assert str(error.value).startswith(line) and "\n" not in str(error.value)


def test_tensors_that_are_missing_misshapen_or_of_another_type_are_refused_in_one_line():
    peer = peer_of("resnet, basic")
    config, tensors = peer.config.to_dict(), tensors_of(peer)
    name = "resnet.encoder.stages.1.layers.0.shortcut.convolution.weight"
    where = "stage1_0/shortcut/conv/kernel"
    less = {of: x for of, x in tensors.items() if of != name}
    for wrong, line in (
        (less, f"the checkpoint has no tensor {name.removeprefix('resnet.')}"),
        ({**tensors, name: tensors[name][:, :3]}, f"tensor {name.removeprefix('resnet.')} does not fit {where}"),
        ({**tensors, name: tensors[name].astype(np.int32)}, f"tensor {name.removeprefix('resnet.')} is int32"),
        ({**tensors, "classifier.1.bias": np.zeros(7, "f")}, "tensor classifier.1.bias does not fit head/bias"),
    ):
        with pytest.raises(BadInput) as error:
            pretrained.load_variables(config, wrong, VISION)
        assert str(error.value).startswith(line)
    odd = {**tensors, "embedder.embedder.normalization.num_batches_tracked": np.float32(0.5)}
    assert pretrained.load_variables(config, {**tensors, "another": np.zeros(2, "f")}, VISION).unused == ("another",)
    with pytest.raises(BadInput, match="under two names"):
        pretrained.load_variables(config, odd, VISION)
