"""Folders of Hugging Face's libraries, and files of torchvision's names, are used in two lines."""

import json
import textwrap

import jax
import numpy as np
import pytest
import torch
import transformers
from flax.traverse_util import flatten_dict
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from adl import data, run
from adl.core import BadInput
from adl.core.sources import noting
from adl.nn import pretrained
from adl.nn.convnext import CONVNEXTS
from adl.nn.residual import RESNETS
from adl.nn.vision_architectures import VISION
from adl.nn.vision_transformer import TRANSFORMERS
from adl.vision import published
from adl.vision.torchvision import NAMES, configuration, in_other_names
from adl.vision.transfer import Headed
from tests.nn.test_pretrained import randomly
from tests.nn.test_published_pictures import output, peer_of
from tests.vision import torchvision_peers as peers

CHINA = load_sample_image("china.jpg")
FLOWER = load_sample_image("flower.jpg")
NEAR = {"rtol": 1e-4, "atol": 1e-4}
PROCESSORS = {
    "resnet, basic": ConvNextImageProcessorPil(size={"shortest_edge": 40}),
    "vit": ViTImageProcessorPil(size={"height": 32, "width": 32}),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("published")
    for name, processor in PROCESSORS.items():
        peer_of(name).eval().save_pretrained(home / name)
        processor.save_pretrained(home / name)
    peer_of("vit, pooled").eval().save_pretrained(home / "bare")
    Image.fromarray(CHINA).save(home / "cat.jpg", quality=95)
    Image.fromarray(FLOWER).save(home / "dog.png")
    return home


def test_the_lines_of_the_docstring(home, monkeypatch):
    """As they stand there, of a small network that stands for a whole one."""
    monkeypatch.chdir(home)
    (home / "resnet-50").symlink_to(home / "resnet, basic")
    monkeypatch.setattr(published, "load_torchvision", lambda path, architecture: (path, architecture))
    lines = [line for line in published.__doc__.splitlines() if line.startswith("    ") or not line]
    found: dict = {}
    exec(textwrap.dedent("\n".join(lines)), found)
    assert found["best"].shape == (2,) and found["network"].names[4] == "class 4" and found["same"][1] in NAMES
    assert found["vectors"].shape == (2, 16) and np.ptp(found["vectors"], 0).max() > 0.01
    jax.tree.map(np.testing.assert_array_equal, published.load("resnet-50-again").variables, found["network"].variables)


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_photograph_is_seen_as_there(name, home):
    """From its pixels to the probability of each class."""
    network, peer = published.load(home / name), peer_of(name).eval()
    x = PROCESSORS[name]([CHINA, FLOWER], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        want = torch.softmax(peer(x).logits, -1)
    got = network.predict([CHINA, FLOWER])
    np.testing.assert_allclose(got, want, **NEAR)
    np.testing.assert_allclose(network.predict([home / "dog.png"])[0], want[1], **NEAR)
    assert abs(got[0] - got[1]).max() > 0.01
    many = network.embed(np.stack([CHINA[:200, :300]] * 17 + [FLOWER[:200, :300]]))
    np.testing.assert_allclose(many[:17], many[:1].repeat(17, 0), **NEAR)
    assert len(many) == 18 and abs(many[17] - many[0]).max() > 0.01


def test_what_was_tuned_is_loaded_there(home, tmp_path):
    """Under a head for other classes, with the same preprocessing."""
    network = published.load(home / "resnet, basic")
    headed = Headed(network.body(), 3)
    x = network.processor([CHINA])
    variables = headed.init(jax.random.key(1), x)
    variables = {name: {**of, "body": network.body_variables[name]} for name, of in variables.items()}
    new = network.retrained(flatten_dict(variables, sep="/"), ["fog", "sun", "rain"])
    folder = new.save(tmp_path / "weather")
    again, told = transformers.ResNetForImageClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(told.values()) and again.config.id2label == {0: "fog", 1: "sun", 2: "rain"}
    with torch.no_grad():
        want = output(again.eval(), x)
    np.testing.assert_allclose(headed.apply(variables, x), want, **NEAR)
    seen = ConvNextImageProcessorPil.from_pretrained(folder)(CHINA, return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(seen[0].transpose(1, 2, 0), x[0], atol=1e-6)
    np.testing.assert_allclose(published.load(folder).predict([CHINA]), new.predict([CHINA]), rtol=1e-6)
    with pytest.raises(BadInput, match="there is something already"):
        new.save(folder)


@pytest.mark.parametrize("name", ["resnet, basic", pytest.param("vit", marks=pytest.mark.full)])
def test_the_experiment_begins_with_a_folder_and_leaves_one(name, home, tmp_path):
    """Digits of three channels, resized as the folder says; what `predict` says is what is said there."""
    options = {"dataset": "digits", "published": home / name, "num_steps": 2, "batch_size": 8, "labels": 2}
    folder = tmp_path / "run"
    flags = [f"--{field}={value}" for field, value in options.items()]
    run.main("experiments.vision.finetune", [*flags, "--test_split=test[:20]", "--workdir", str(folder)])
    tuned = published.load(folder / "published")
    assert tuned.names == ["5", "6", "7", "8", "9"]
    before, after = (jax.tree.leaves(of.body_variables) for of in (published.load(home / name), tuned))
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    kind = type(peer_of(name))
    peer, told = kind.from_pretrained(folder / "published", output_loading_info=True)
    assert not any(told.values())
    pictures = data.load("digits", "test").arrays["image"][:3]
    x = PROCESSORS[name](list(pictures.repeat(3, -1)), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        want = torch.softmax(peer.eval()(x).logits, -1)
    np.testing.assert_allclose(tuned.predict(pictures), want, **NEAR)
    shaped = tuned.shaped(pictures)
    np.testing.assert_allclose(run.load(folder).predict(shaped), want, **NEAR)


def test_a_run_knows_which_files_it_read(home):
    with noting() as found:
        published.load(home / "vit")
    assert sorted(found[0].files) == ["config.json", "model.safetensors", "preprocessor_config.json"]


PEERS = {
    "resnet18": (peers.ResNet, {"hidden_sizes": [8, 16], "depths": [1, 2], "embedding_size": 8}),
    "resnet50": (
        lambda: peers.ResNet((16, 32), 4),
        {"hidden_sizes": [16, 32], "depths": [1, 2], "embedding_size": 8},
    ),
    "wide_resnet50_2": (
        lambda: peers.ResNet((16, 32), 2),
        {"hidden_sizes": [16, 32], "depths": [1, 2], "embedding_size": 8},
    ),
    "convnext_tiny": (peers.ConvNeXt, {"hidden_sizes": [8, 16], "depths": [1, 2], "num_stages": 2}),
    "vit_b_16": (
        peers.ViT,
        {
            **{"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20},
            **{"image_size": 32, "patch_size": 8},
        },
    ),
}


@pytest.mark.parametrize("architecture", PEERS)
def test_torchvision_s_names_are_read(architecture):
    """Of a small network of the same form; every tensor has its place, and the outputs are the same."""
    make, sizes = PEERS[architecture]
    peer = randomly(make())
    config, tensors = in_other_names(architecture, {name: x.numpy() for name, x in peer.state_dict().items()})
    assert len(config["id2label"]) == 5
    model, variables, unused = pretrained.load_variables({**config, **sizes}, tensors, VISION)
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("f")
    with torch.no_grad():
        want = peer(torch.tensor(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(jax.jit(model.apply)(variables, x), want, **NEAR)
    assert not unused


def test_torchvision_s_configurations_are_those_of_the_modules():
    """Which count their parameters as torchvision's do (tests/nn/test_published_pictures.py)."""
    for name in NAMES:
        config = configuration(name) | {"id2label": {str(i): str(i) for i in range(1000)}}
        head = "classifier.1.weight" if config["model_type"] == "resnet" else "classifier.weight"
        model = VISION[config["model_type"]].model(config, {head: np.zeros(0)})
        options = next(of[name] for of in (RESNETS, CONVNEXTS, TRANSFORMERS) if name in of)
        for field, value in {"num_classes": 1000, **options}.items():
            assert getattr(model, field) == value, (name, field)


@pytest.mark.full
def test_a_file_of_torchvision_is_loaded_saved_and_loaded_there(tmp_path):
    """A whole ResNet-18, with another number of classes."""
    torch.manual_seed(0)
    config = transformers.ResNetConfig.from_dict({**configuration("resnet18"), "num_labels": 7})
    peer = transformers.ResNetForImageClassification(config).eval()
    words = {"resnet.embedder.embedder.convolution": "conv1", "resnet.embedder.embedder.normalization": "bn1"}
    words |= {
        "classifier.1": "fc",
        ".shortcut.convolution": ".downsample.0",
        ".shortcut.normalization": ".downsample.1",
    }
    words |= {f".layer.{i}.convolution": f".conv{i + 1}" for i in range(2)}
    words |= {f".layer.{i}.normalization": f".bn{i + 1}" for i in range(2)}
    words |= {f"resnet.encoder.stages.{i}.layers": f"layer{i + 1}" for i in range(4)}
    named = {}
    for name, x in peer.state_dict().items():
        for theirs, ours in words.items():
            name = name.replace(theirs, ours)
        named[name] = x.contiguous()
    save_file(named, tmp_path / "resnet18.safetensors")
    network = published.load_torchvision(tmp_path / "resnet18.safetensors", "resnet18", shorter=64)
    x = network.processor([CHINA])
    assert x.shape == (1, 224, 224, 3) and len(network.names) == 7
    with torch.no_grad():
        want = output(peer, x)
        np.testing.assert_allclose(network.model.apply(network.variables, x), want, **NEAR)
        folder = network.save(tmp_path / "theirs")
        again = transformers.ResNetForImageClassification.from_pretrained(folder).eval()
        np.testing.assert_allclose(output(again, x), want, rtol=1e-5, atol=1e-6)


def changed(home, tmp_path, file, **fields):
    """A copy of a folder, of which a file of JSON says something else."""
    folder = tmp_path / "changed"
    folder.mkdir(exist_ok=True)
    for one in (home / "resnet, basic").iterdir():
        (folder / one.name).write_bytes(one.read_bytes())
    (folder / file).write_text(json.dumps({**json.loads((folder / file).read_text()), **fields}))
    return folder


def test_bad_folders_and_files_are_refused_in_one_line(home, tmp_path):
    def of(file, **fields):
        return lambda: published.load(changed(home, tmp_path, file, **fields))

    def torchvision(file, architecture):
        return published.load_torchvision(tmp_path / file, architecture)

    bare, ours = published.load(home / "bare"), published.load(home / "resnet, basic")
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "part.safetensors")
    (tmp_path / "resnet18.pth").write_bytes(b"PK")
    (tmp_path / "cat.txt").write_text("a cat")
    for wrong, line in (
        (
            of("config.json", model_type="gpt2"),
            "model_type gpt2: no such architecture here; there are resnet",
        ),
        (of("config.json", id2label={"0": "a"}), "tensor classifier.1.bias does not fit head/bias"),
        (of("config.json", depths=[1, 1]), "the checkpoint has tensor encoder.stages."),
        (of("config.json", widening=3), "widening 3: only bottlenecks are wider within"),
        *(
            (of("config.json", widening=wrong), f"widening {json.dumps(wrong)}: it must be a whole number, 1 or more")
            for wrong in (0, None, False, 2.5, -1, "2", "a\nb")
        ),
        (of("config.json", widening=10**400), f"widening {10**79}: the checkpoint has no axis as long"),
        (of("preprocessor_config.json", do_pad=True), "preprocessor_config.json: do_pad True is not computed here"),
        (of("preprocessor_config.json", image_mean=[0.5]), "preprocessor_config.json: image_std"),
        (lambda: published.load(tmp_path / "no"), f"weights {tmp_path / 'no'}: there is no such folder"),
        (
            lambda: torchvision("resnet18.pth", "resnet18"),
            f"{tmp_path}/resnet18.pth is PyTorch",
        ),
        (
            lambda: torchvision("part.safetensors", "resnet81"),
            "architecture resnet81: it must",
        ),
        (
            lambda: torchvision("part.safetensors", "resnet18"),
            "hidden_sizes [64, 128, 256, 512]: the checkpoint has no axis as long",
        ),
        (lambda: bare.predict([CHINA]), "predict: this checkpoint has no head for classes; it can embed"),
        (lambda: bare.embed([CHINA]), "the folder has no preprocessor_config.json"),
        (lambda: ours.predict(CHINA), "picture 0 is uint8 [640, 3], where uint8 [H, W, C] in 0..255 is wanted"),
        (lambda: ours.predict([CHINA / 255]), "picture 0 is float64 [427, 640, 3], where uint8"),
        (lambda: ours.predict("cat.jpg"), "pictures are given as"),
        (lambda: ours.predict([]), "pictures are given as"),
        (lambda: ours.predict([tmp_path / "cat.txt"]), f"picture {tmp_path / 'cat.txt'} is no picture"),
        (lambda: ours.predict([tmp_path / "no.png"]), f"picture {tmp_path / 'no.png'}: No such file"),
        (
            lambda: ours.predict([np.zeros((9, 9, 4), np.uint8)]),
            "picture 0 has 4 channels: there must be 3, or",
        ),
    ):
        with pytest.raises(BadInput) as error:
            wrong()
        assert str(error.value).startswith(line) and "\n" not in str(error.value), str(error.value)
