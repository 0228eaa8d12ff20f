"""Research sets of grey pictures, in files of bytes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from adl.data.research.builder import Examples, ResearchSet
from adl.data.research.formats import bitmap, grey_stack, idx, mat
from adl.data.research.pickled import unpickled


class Mnist(ResearchSet):
    """Handwritten digits, 28x28: 60,000 to train, 10,000 by other writers to test.

    The SHA-256 sums below are those of the gzipped files. Source: LeCun, Cortes & Burges, the MNIST database. Licence:
    usually cited as CC BY-SA 3.0.
    """

    VERSION = tfds.core.Version("3.0.1")
    use = "handwritten digits, 28x28 grey, 10 classes"
    files = tuple(
        f"{part}-ubyte.gz"
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    )
    source = "LeCun, Cortes & Burges, yann.lecun.com/exdb/mnist and its mirrors"
    licence = "usually cited as CC BY-SA 3.0"
    known = {
        "train": (60000, "7cd20e9b1d31d5b800727fb0f6ff258df06ea72cad4c477f2422bea4cd923226"),
        "test": (10000, "49aa1e224f0fdc14ef72e140ad12d3006ff51de63db1db3cc939e551cb24a8ce"),
    }
    sums = {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }
    classes: Mapping[str, Any] = {"num_classes": 10}
    parts = {"train": "train", "test": "t10k"}

    def columns(self) -> dict[str, Any]:
        """Grey pictures, and the digit or letter."""
        return {"image": tfds.features.Image(shape=(28, 28, 1)), "label": tfds.features.ClassLabel(**self.classes)}

    def examples(self) -> Mapping[str, Examples]:
        """In the order of the files, by index."""
        return {split: self._part(part) for split, part in self.parts.items()}

    def _part(self, part: str) -> Examples:
        image = self.raw.read(f"{part}-images-idx3-ubyte", idx)
        label = self.raw.read(f"{part}-labels-idx1-ubyte", idx)
        if image.shape[1:] != (28, 28) or label.shape != image.shape[:1]:
            sizes = f"pictures {list(image.shape)} and labels {list(label.shape)}"
            self.raw.refuse(f"{part}-images-idx3-ubyte", f"{sizes}: it must be [N, 28, 28] and [N]")
        for index, (pixels, digit) in enumerate(zip(image, label, strict=True)):
            yield index, {"image": pixels[..., None], "label": int(digit)}


class NotMnist(Mnist):
    """Letters A to J of many typefaces, 28x28, in the format of MNIST: 1,000 of each class, one split `test`.

    No SHA-256 of the gzipped files is known for certain; the train files are not wanted. Source: Bulatov 2011,
    notMNIST, as converted in github.com/davidflanagan/notMNIST-to-MNIST. Licence: of that repository MIT; of notMNIST
    none is stated.
    """

    VERSION = tfds.core.Version("1.0.0")
    use = "letters A to J of many typefaces, 28x28 grey: what is no digit"
    files = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    source = "github.com/davidflanagan/notMNIST-to-MNIST (of Bulatov's notMNIST)"
    licence = "of the repository MIT; of notMNIST none stated"
    protocol = "One split, 1,000 pictures a class"
    known = {"test": (10000, "84c985374c9dbc1cc7e229b40a74a2cff89de9dd4989c5b190c0763fc7cacd53")}
    sums = {}
    classes = {"names": [*"ABCDEFGHIJ"]}
    parts = {"test": "t10k"}


class FreyFaces(ResearchSet):
    """Frames of a film of one face, 28x20: 1,565 to train, 200 to validate, 200 to test.

    The 1,965 frames are permuted by NumPy's `RandomState(0)` and cut in the sizes of the VampPrior experiments, which
    permute them anew in each run; neighbours in the film look alike, so that such a split flatters. `frame` is the
    place in the film. Raw file: `frey_rawface.mat`, variable `ff` `[560, 1965]`; or the same as a pickle,
    `freyfaces.pkl` `[1965, 560]` or a list of that, of which arrays are read and nothing is run. No SHA-256 of either
    is known for certain. Source: Roweis, cs.nyu.edu/~roweis/data; Tomczak & Welling 2018, arXiv:1705.07120. Licence:
    none stated.
    """

    use = "frames of a film of one face, 28x20 grey"
    files = ("frey_rawface.mat (or freyfaces.pkl)",)
    source = "Roweis, cs.nyu.edu/~roweis/data, or github.com/jmtomczak/vae_vampprior"
    licence = "none stated"
    protocol = "1,565, 200 and 200 frames, permuted by RandomState(0)"
    known = {
        "train": (1565, "dc2154bd0e3c10670466152ba662f4c821c593a0f9fde66dcbc74a249a847011"),
        "validation": (200, "96c26cd5068b3139bc2e00452d00c86639d17e5f644ed61288fd6184cfcb8e28"),
        "test": (200, "03e33bf89327cfddb2c85b1a890280447d86bc79214c24eeb6c80fa12197d341"),
    }

    def columns(self) -> dict[str, Any]:
        """Grey pictures, and their place in the film."""
        return {"frame": np.int64, "image": tfds.features.Image(shape=(28, 20, 1))}

    def examples(self) -> Mapping[str, Examples]:
        """By frame."""
        is_mat = self.raw.has("frey_rawface.mat") or not self.raw.has("freyfaces.pkl")
        name = "frey_rawface.mat" if is_mat else "freyfaces.pkl"
        image = self.raw.read(name, lambda data: _frames(mat(data, "ff")[0].T if is_mat else unpickled(data)))
        order = np.random.RandomState(0).permutation(len(image))
        parts = {"train": order[:-400], "validation": order[-400:-200], "test": order[-200:]}
        return {split: ((int(i), {"frame": int(i), "image": image[i]}) for i in rows) for split, rows in parts.items()}


def _frames(film: np.ndarray | list[np.ndarray | None]) -> np.ndarray:
    """`[N, 28, 20, 1]` uint8 of whole numbers in 0..255, `[N, 560]` or `[N, 28, 20]`, or a list that begins with it."""
    first = film[0] if isinstance(film, list) and film else film
    if not isinstance(first, np.ndarray) or first.dtype.kind not in "iuf" or not first.size:
        raise ValueError("it holds no frames where they should be")
    film = first.reshape(len(first), -1)
    if film.shape[1] != 560 or len(film) <= 400:
        raise ValueError(f"its array is {list(film.shape)}: it must be 1,965 frames of 560 pixels")
    if not ((film == np.round(film)) & (film >= 0) & (film <= 255)).all():
        raise ValueError("its pixels must be whole numbers in 0 ... 255")
    return film.astype(np.uint8).reshape(-1, 28, 20, 1)


class Isbi2012(ResearchSet):
    """Slices of a fly's nerve cord under an electron microscope, 512x512, and where its membranes are.

    Slices 0 to 23 are to train, 24 to 29 to validate: a block, since neighbours look alike; the 30 of the challenge's
    test have no public labels. A mask is 255 within a cell and 0 on a membrane. Raw files:
    `data/membrane/train/image/N.png` and `.../label/N.png`, N = 0 ... 29, or the challenge's own `train-volume.tif` and
    `train-labels.tif`; no SHA-256 is known for certain. Source: Cardona et al. 2010, the ISBI 2012 challenge, as in
    github.com/zhixuhao/unet. Licence: of that repository MIT; of the pictures the challenge's terms.
    """

    name = "isbi2012"
    use = "slices under an electron microscope, 512x512 grey, with masks of the cells"
    files = (
        "data/membrane/train/image/N.png",
        "data/membrane/train/label/N.png (N = 0 ... 29), or train-volume.tif and train-labels.tif",
    )
    source = "ISBI 2012 challenge, as in github.com/zhixuhao/unet"
    licence = "of the repository MIT; the challenge's terms"
    protocol = "Slices 0 to 23 train, 24 to 29 validation"
    known = {
        "train": (24, "4e3eca84b413246ab279b03dce9f73865d21ee9d4f5e9db7e942a827b5d668cc"),
        "validation": (6, "d6b89e095487cc126f3e18bf88d235dd65229a8c1c9d48462e42089532605b1d"),
    }
    in_order = True
    size = 512

    def columns(self) -> dict[str, Any]:
        """Grey pictures, masks, and the number of the slice."""
        grey = tfds.features.Image(shape=(self.size, self.size, 1))
        return {"image": grey, "mask": tfds.features.Image(shape=(self.size, self.size, 1)), "slice": np.int64}

    def examples(self) -> Mapping[str, Examples]:
        """By slice."""
        kinds = {"image": "volume", "label": "labels"}
        if self.raw.has("train-volume.tif"):
            planes = [self.raw.read(f"train-{part}.tif", self._stack) for part in kinds.values()]
        else:
            names = [[f"data/membrane/train/{kind}/{number}.png" for number in range(30)] for kind in kinds]
            planes = [[self.raw.read(name, self._plane) for name in some] for some in names]
        slices = [{"image": a, "mask": b, "slice": i} for i, (a, b) in enumerate(zip(*planes, strict=True))]
        return {"train": enumerate(slices[:24]), "validation": enumerate(slices[24:], 24)}

    def _plane(self, data: bytes) -> np.ndarray:
        return self._sized(bitmap(data, 1))

    def _stack(self, data: bytes) -> list[np.ndarray]:
        found = [self._sized(plane) for plane in grey_stack(data)]
        if len(found) != 30:
            raise ValueError(f"it has {len(found)} slices, not 30")
        return found

    def _sized(self, plane: np.ndarray) -> np.ndarray:
        if plane.shape != (self.size, self.size, 1):
            raise ValueError(f"it has {plane.shape[0]}x{plane.shape[1]} pixels, not {self.size}x{self.size}")
        return plane
