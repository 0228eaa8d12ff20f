"""Pictures with COCO's annotations by their path: what pycocotools reads is read, and what is wrong is one line."""

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from adl import data, run
from adl.core import BadInput, sources
from adl.data.boxes import boxed

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 12, 16
CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat", "supercategory": "animal"}]


def coco(num=12, first=0):
    """Pictures of no, one and two things; a crowd, and a box of no area."""
    names = range(first, first + num)
    images = [{"id": 100 + i, "file_name": f"{i}.png", "height": HEIGHT, "width": WIDTH} for i in names]
    annotations = []
    for i in names:
        for k in range(1 + (i % 3 == 2) if i != first else 0):
            low = [1 + k, 2 + i % 4]
            annotations.append({"image_id": 100 + i, "category_id": (7, 3)[(i + k) % 2], "bbox": [*low, 3.25, 4]})
    annotations.append({"image_id": 101 + first, "category_id": 3, "bbox": [0, 0, 16, 12], "iscrowd": 1})
    annotations.append({"image_id": 102 + first, "category_id": 7, "bbox": [3, 3, 0, 5]})
    annotations = [{"id": at, "area": 1, "iscrowd": 0, **entry} for at, entry in enumerate(annotations)]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


def written(folder, of, file="annotations.json", pictures=""):
    """A folder of pictures and what is said of them."""
    for entry in of["images"]:
        path = folder / pictures / entry["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(path)
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(of))
    return folder


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return written(tmp_path_factory.mktemp("mine"), coco())


def as_sets(split):
    """The objects of each picture, by its pixels."""
    columns = split.arrays
    found = {}
    for row, image in enumerate(columns["image"]):
        here = columns["present"][row] > 0
        box, label = columns["box"][row][here], columns["label"][row][here]
        objects = [(*b.round(4).tolist(), split.class_names[k]) for b, k in zip(box, label, strict=True)]
        found[image.tobytes()] = sorted(objects)
    return found


def test_objects_are_those_of_pycocotools(mine):
    tool = pytest.importorskip("pycocotools.coco", exc_type=ImportError)
    with contextlib.redirect_stdout(io.StringIO()):
        peer = tool.COCO(str(mine / "annotations.json"))
    with sources.noting() as read:
        train, test = boxed(str(mine), test_share=0.3)
    assert len(train) + len(test) == 12 and train.class_names == ["cat", "dog"]
    found = as_sets(train) | as_sets(test)
    for picture in peer.loadImgs(peer.getImgIds()):
        want = []
        for of in peer.loadAnns(peer.getAnnIds(imgIds=picture["id"], iscrowd=False)):
            x, y, width, height = of["bbox"]
            box = np.float32([y / HEIGHT, x / WIDTH, (y + height) / HEIGHT, (x + width) / WIDTH])
            want += [(*box.round(4).tolist(), peer.cats[of["category_id"]]["name"])] * (width > 0)
        image = np.asarray(Image.open(mine / picture["file_name"]))
        assert found[image.tobytes()] == sorted(want)
    told = "\n".join(remark for one in read for remark in one.remarks)
    assert "with 15 objects of 2 classes (cat, dog)" in told and "test drawn by a hash of the names" in told
    assert "left out: 1 annotation of crowds (iscrowd 1), as annotation 15 of 1.png" in told
    assert "left out: 1 annotation of no area, as annotation 16 of 2.png" in told


def test_the_folders_that_are_read(tmp_path, mine):
    """COCO's own, one file for each split, and pictures in images/; what a file does not name is left out."""
    for split, first in (("train", 0), ("val", 20)):
        written(tmp_path / "a", coco(5, first), f"annotations/instances_{split}2017.json", f"{split}2017")
        written(tmp_path / "b" / split, coco(5, first))
    written(tmp_path / "c", coco(), pictures="images")
    (tmp_path / "a/annotations/captions_val2017.json").write_text("{}")
    (tmp_path / "a/train2017/more.png").write_bytes((tmp_path / "a/train2017/0.png").read_bytes())
    for name in "ab":
        train, held = boxed(str(tmp_path / name), of=("train", "validation"))
        assert len(train) == len(held) == 5 and len(as_sets(train) | as_sets(held)) == 10
        with pytest.raises(BadInput, match="has no split test; it has train, validation"):
            boxed(str(tmp_path / name))
    assert sum(map(len, boxed(str(tmp_path / "c"), test_share=0.3))) == 12
    assert data.folder(str(mine))["train"].names == ("image", "objects")
    (tmp_path / "b/val/annotations.json").unlink()
    assert len(data.load(str(tmp_path / "b"), "train+test", test_share=0.3)) == 5  # one file: its pictures alone


def test_boxes_keep_to_their_objects_at_another_size(mine):
    how = {"test_share": 0.3, "picture_size": "6x32", "picture_fit": "resize"}
    (train, _), (small, _) = boxed(str(mine), test_share=0.3), boxed(str(mine), **how)
    assert small.example_shape == (6, 32, 3)
    np.testing.assert_array_equal(small.arrays["box"], train.arrays["box"])
    with pytest.raises(BadInput, match="--picture_fit crop"):
        data.load(str(mine), "train", picture_size="6x6", picture_fit="crop")


def changed(of, where, at, **fields):
    """The same, of which one entry says something else; None: nothing."""
    entry = {**of[where][at], **fields}
    entry = {name: value for name, value in entry.items() if value is not None}
    return {**of, where: [entry if i == at % len(of[where]) else other for i, other in enumerate(of[where])]}


BAD = {
    "a box outside": (("annotations", 0, {"bbox": [10, 2, 9, 4]}), "annotation 0 of 1.png has the box .*not within"),
    "left of it": (("annotations", 0, {"bbox": [-3, 2, 5, 4]}), "not within its picture, 12x16"),
    "corners": (("annotations", 0, {"bbox": [5, 5, -2, 4]}), r"width -2 and height 4: it is \[x, y, width"),
    "three numbers": (("annotations", 0, {"bbox": [1, 2, 3]}), r"bbox \[1, 2, 3\]; it must be"),
    "words": (("annotations", 0, {"bbox": ["1", 2, 3, 4]}), "it must be"),
    "no number": (("annotations", 0, {"bbox": [float("nan"), 2, 3, 4]}), "bbox .*nan.*must be"),
    "no box": (("annotations", 0, {"bbox": None}), r"annotations\[0\] has no bbox"),
    "misspelt": (
        ("annotations", 2, {"bbox": None, "box": [1, 2, 3, 4]}),
        r"annotations\[2\] has no bbox; did you mean",
    ),
    "category": (("annotations", 0, {"category_id": 9}), "category 9; there are 3 cat, 7 dog"),
    "picture": (("annotations", 0, {"image_id": 1}), "of picture 1, and images has none of this id"),
    "list": (("annotations", 0, {"image_id": [1]}), "images has none of this id"),
    "annotation twice": (("annotations", 1, {"id": 0}), "two annotations have the id 0"),
    "crowd": (("annotations", 0, {"iscrowd": 2}), "iscrowd 2"),
    "image twice": (("images", 1, {"id": 100}), "two pictures have the id 100"),
    "file twice": (("images", 1, {"file_name": "0.png"}), "0.png is there twice among images"),
    "gone": (("images", 1, {"file_name": "gone.png"}), "picture gone.png is not there; looked for in ., images"),
    "elsewhere": (("images", 1, {"file_name": "../../0.png"}), "picture ../../0.png is not there"),
    "size": (("images", 1, {"height": 24}), "1.png is 24x16 there, and in its file 12x16"),
    "no name": (("images", 1, {"file_name": None}), r"images\[1\] has no file_name"),
    "category twice": (("categories", 1, {"id": 7}), "two categories have the id 7"),
    "name twice": (("categories", 1, {"name": "dog"}), "two categories .*called dog"),
    "id of words": (("categories", 1, {"id": "3"}), "category's id is '3'; it must be a whole number"),
    "huge": (("annotations", 0, {"bbox": [10**400, 2, 3, 4]}), r"bbox \[1000+\.\.\.0+, 2, 3, 4\]; it must be \[x, y"),
    "far": (("annotations", 0, {"bbox": [2, -1e9, 3, 4]}), r"bbox \[2, -1000000000.0, 3, 4\]; it must be"),
    "endless": (("annotations", 0, {"bbox": [2, 2, float("inf"), 4]}), r"bbox \[2, 2, inf, 4\]; it must be"),
    "deep": (("annotations", 0, {"bbox": json.loads("[" * 200 + "]" * 200)}), r"bbox \[\[.*\.\.\..*; it must be"),
    "file of two lines": (("images", 1, {"file_name": "a\nb.png"}), r"file_name is 'a\\nb.png'; it must be a word"),
    "file without": (("images", 1, {"file_name": "\0.png"}), r"file_name is '\\x00.png'; it must be a word"),
    "file of no words": (("images", 1, {"file_name": 3}), "file_name is 3; it must be a word"),
    "id of two lines": (("annotations", 0, {"id": "a\nb"}), r"annotation's id is 'a\\nb'; it must be a word"),
    "long id": (("annotations", 0, {"id": 10**400}), r"annotation's id is '10+\.\.\.0+'; it must be a word"),
    "picture of two lines": (("images", 1, {"id": "a\nb"}), r"picture's id is 'a\\nb'; it must be a word"),
    "words of two lines": (("annotations", 0, {"image_id": "a\nb"}), r"of picture 'a\\nb', and images has none"),
    "category of two lines": (("annotations", 0, {"category_id": "3\n"}), r"of category '3\\n'; there are"),
    "crowd of two lines": (("annotations", 0, {"iscrowd": "0\n"}), r"iscrowd '0\\n'; it must"),
    "height of two lines": (("images", 1, {"height": "12\n3"}), r"1.png is '12\\n3'x16 \(height x width\), which is"),
    "long height": (("images", 1, {"height": 10**400}), r"1.png is 10{,40}\.\.\.0{,40}x16 .*which is no size"),
    "name of two lines": (("categories", 1, {"name": "do\ng"}), r"name of category 3 is 'do\\ng'; it must be a word"),
    "name apart": (("categories", 1, {"name": "do\u2028g"}), r"category 3 is 'do\\u2028g'; it must be a word"),
    "half a letter": (("categories", 1, {"name": "\ud800"}), r"category 3 is '\\ud800'; it must be a word"),
    "blank": (("categories", 1, {"name": " "}), "category 3 is ' '; it must be a word"),
    "field of two lines": (("annotations", 2, {"bbox": None, "bbox\n": 1}), r"no bbox; did you mean bbox\\n\?"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_one_line(mine, name):
    (where, at, fields), told = BAD[name]
    refused(mine, json.dumps(changed(coco(), where, at, **fields)), told)


@pytest.mark.parametrize(
    "content, told",
    [
        ("{", "annotations.json is no JSON .line 1"),
        (b"\xff\xfe{", "is no JSON"),
        ("[" * 10**5, "is no JSON"),
        ("[]", "is no object; COCO's has images, annotations and categories"),
        (json.dumps({"images": []}), "has images; COCO's has"),
        (json.dumps({"imag\nes": []}), r"has imag\\nes; COCO's has"),
        (json.dumps({**coco(), "images": {}}), "images must be a list"),
        (json.dumps({**coco(), "images": []}), "images is empty"),
        (json.dumps({**coco(), "categories": []}), "categories is empty"),
        (json.dumps({**coco(), "annotations": []}), "there are no objects"),
        (json.dumps({**coco(), "annotations": [3]}), r"annotations\[0\] has no image_id"),
    ],
)
def test_what_is_no_file_of_annotations_is_one_line(mine, content, told):
    refused(mine, content, told)


def refused(mine, content, told):
    """Beside the pictures that are there already."""
    kept = (mine / "annotations.json").read_bytes()
    try:
        (mine / "annotations.json").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(BadInput, match=told) as error:
            boxed(str(mine), test_share=0.3)
    finally:
        (mine / "annotations.json").write_bytes(kept)
    assert len(str(error.value).splitlines()) == 1 and str(mine) in str(error.value)
    assert len(str(error.value)) < len(str(mine)) + 300


def test_splits_that_do_not_go_together(tmp_path):
    other = {**coco(5, 20), "categories": [{"id": 7, "name": "wolf"}, CATEGORIES[1]]}
    written(tmp_path / "a/train", coco(5))
    written(tmp_path / "a/test", other)
    with pytest.raises(BadInput, match="category 7 is wolf in test/annotations.json, and dog in train/annotations"):
        boxed(str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "a: b")
    with pytest.raises(BadInput, match="a: b: category 7 is wolf"):
        boxed(str(tmp_path / "a: b"))
    for name in ("instances_train.json", "instances_test.json"):
        written(tmp_path / "b", coco(5), f"annotations/{name}")
    with pytest.raises(BadInput, match=r"0.png is in annotations/instances_test.json and in"):
        boxed(str(tmp_path / "b"))
    (tmp_path / "b/annotations/instances_test.json").unlink()
    written(tmp_path / "b", coco(5, 20), "annotations/instances_day.json")
    with pytest.raises(BadInput, match="of which split is annotations/instances_day.json"):
        boxed(str(tmp_path / "b"))


def test_the_command_says_it_and_leaves_nothing(tmp_path, capsys):
    """Pictures without boxes, too."""
    written(tmp_path / "mine", changed(coco(), "images", 0, file_name="away.png"))
    (tmp_path / "mine/away.png").unlink()
    written(tmp_path / "plain", coco())
    (tmp_path / "plain/annotations.json").unlink()
    for name, told in (("mine", "picture away.png is not there"), ("plain", "has pictures without boxes")):
        with pytest.raises(SystemExit) as ended:
            run.main(
                "experiments.vision.detect", ["--dataset", str(tmp_path / name), "--workdir", str(tmp_path / "run")]
            )
        assert ended.value.code == 2 and told in capsys.readouterr().err and not (tmp_path / "run").exists()
