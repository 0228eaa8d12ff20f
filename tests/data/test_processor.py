"""Pictures are prepared as `transformers`' own processors prepare them."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_sample_image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from adl.core import BadInput
from adl.data.processor import processor_of

CHINA = load_sample_image("china.jpg")
KINDS = {
    "ViT": ViTImageProcessorPil,
    "ConvNext": ConvNextImageProcessorPil,
    "Bit": BitImageProcessorPil,
    "CLIP": CLIPImageProcessorPil,
}
CASES = [
    ("ViT", {}),
    ("ViT", {"size": 48, "resample": 3, "image_mean": [0.1, 0.2, 0.3]}),
    ("ViT", {"size": {"shortest_edge": 50}, "do_center_crop": True, "crop_size": 61}),  # zeros about it
    ("ViT", {"rescale_factor": 1 / 127.5, "do_resize": False}),
    ("ConvNext", {}),
    ("ConvNext", {"size": {"shortest_edge": 224}}),
    ("ConvNext", {"size": 101, "crop_pct": 0.9}),
    ("Bit", {"size": {"shortest_edge": 257}, "crop_size": {"height": 224, "width": 300}}),
    ("Bit", {"do_rescale": False, "resample": 0}),
    ("CLIP", {"do_normalize": False}),
]


@pytest.mark.parametrize(("kind", "fields"), CASES)
def test_a_photograph_becomes_what_it_becomes_there(kind, fields):
    """To 1e-6 of numbers of unit size, upright and lying; as the file says all, or only what differs."""
    peer = KINDS[kind](**fields)
    told = json.loads(peer.to_json_string())
    for picture in (CHINA, CHINA.swapaxes(0, 1)):
        want = peer(picture, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
        for config in (told, {**fields, "feature_extractor_type": f"{kind}FeatureExtractor"}):
            got = processor_of(config, "ViT")([picture])[0]
            assert got.shape == want.shape and got.dtype == np.float32
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_a_grey_picture_is_three_of_itself():
    of = processor_of({"size": 8}, "ViT")
    grey = np.random.default_rng(0).integers(0, 256, (20, 30, 1), np.uint8)
    np.testing.assert_array_equal(of([grey]), of([grey.repeat(3, -1)]))


REFUSED = [
    (
        "ViT",
        "image_processor_type",
        "DetrImageProcessor",
        "DetrImageProcessor is not computed here; there are ViT",
    ),
    ("ViT", "size", {"longest_edge": 4}, "size {'longest_edge': 4}: it must be a height and a width, or"),
    ("ViT", "size", 0, "size {'height': 0, 'width': 0}: it must be"),
    ("ConvNext", "size", {"height": 4, "width": 4}, "size [4, 4]: it must be a shortest_edge"),
    ("ConvNext", "crop_pct", 0, "crop_pct 0: it must be a number in (0, 1]"),
    ("ViT", "resample", 9, "resample 9: it must be one of Pillow's filters, 0 to 5"),
    ("ViT", "do_resize", "no", "do_resize no: it must be true or false"),
    ("ViT", "image_std", (0.5, 0, 0.5), "image_std (0.5, 0, 0.5): it must be as many numbers as image_mean, none"),
    ("ViT", "image_mean", "grey", "image_mean grey: it must be one number, or one for each"),
    ("ViT", "rescale_factor", float("nan"), "rescale_factor [nan]: it must be finite numbers"),
    ("Bit", "crop_size", {"shortest_edge": 4}, "crop_size {'shortest_edge': 4}: it must be a height and a width"),
    ("ViT", "do_reduce_labels", True, "do_reduce_labels True is not computed here"),
]


@pytest.mark.parametrize(("kind", "field", "value", "line"), REFUSED)
def test_what_would_be_prepared_otherwise_is_refused_in_one_line(kind, field, value, line):
    with pytest.raises(BadInput) as error:
        processor_of({field: value}, kind)
    assert str(error.value).startswith(f"preprocessor_config.json: {line}") and "\n" not in str(error.value)


def test_pictures_of_several_sizes_and_threads_are_refused():
    with pytest.raises(BadInput, match=r"pictures end in several sizes, \(4, 4, 3\) and \(5, 4, 3\)"):
        processor_of({"do_resize": False}, "ViT")([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)])
    with pytest.raises(BadInput, match="too long and thin"):
        processor_of({}, "Bit")([np.zeros((1, 200, 3), np.uint8)])
