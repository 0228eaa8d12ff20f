"""What detection without learning a network reaches: boxes around what is coloured unlike the border of a picture.

On the host, in NumPy and SciPy: nothing here is differentiated.
"""

from typing import NamedTuple

import numpy as np

from adl.measure.detection import Detections

FITTED = 200  # pictures that the distance is found on
DISTANCES = (20, 30, 40, 50, 60, 80, 100)  # of colours, in grey levels
FEWEST = 9  # pixels of a component; less is noise


class Blobs(NamedTuple):
    """Pixels far from the median colour of the picture's border, in connected components, each a box.

    Each box is said to be of every class, as surely as objects of its area are of it: log-areas are normal in a class.
    """

    distance: float  # Euclidean, in grey levels
    log_prior: np.ndarray  # [K]
    mean: np.ndarray  # [K] of the logarithm of areas, relative to the picture
    std: np.ndarray  # [K]

    @classmethod
    def fit(cls, image: np.ndarray, box: np.ndarray, label: np.ndarray, present: np.ndarray, num_classes: int):
        """The distance with which objects and components overlap most, and how large the objects of a class are.

        Args:
          image: `[N, H, W, C]` uint8.
          box: `[N, S, 4]`, relative.
          label: `[N, S]` integers.
          present: `[N, S]`.
          num_classes: K.
        """
        size = np.log(np.maximum((box[..., 2:] - box[..., :2]).prod(-1), 1e-6))
        sizes = [size[(label == k) & (present > 0)] for k in range(num_classes)]
        counts = np.array([len(of) for of in sizes]) + 1e-3
        mean, std = (np.array([f(of) if len(of) else 0.0 for of in sizes]) for f in (np.mean, np.std))
        about = np.log(counts / counts.sum()), mean, np.maximum(std, 0.1)

        def overlap(distance: float) -> float:
            parts = [cls(distance, *about).components(one) for one in image[:FITTED]]
            best = [_iou(box[n][present[n] > 0], part) for n, part in enumerate(parts)]
            return float(np.concatenate([of.max(1, initial=0) for of in best]).mean())

        return cls(max(DISTANCES, key=overlap), *about)

    def components(self, image: np.ndarray) -> np.ndarray:
        """`[n, 4]` boxes of the components of a picture `[H, W, C]`, relative to it, the largest first."""
        from scipy import ndimage

        x = image.astype(np.float32)
        border = np.concatenate([x[0], x[-1], x[:, 0], x[:, -1]])
        labels, _ = ndimage.label(np.linalg.norm(x - np.median(border, 0), axis=-1) > self.distance, np.ones((3, 3)))
        pixels = np.bincount(labels.ravel())[1:]
        parts = [part for part, number in zip(ndimage.find_objects(labels), pixels, strict=True) if number >= FEWEST]
        ends = [[rows.start, columns.start, rows.stop, columns.stop] for rows, columns in parts]
        box = np.array(ends, np.float32).reshape(-1, 4) / np.tile(image.shape[:2], 2).astype(np.float32)
        return box[np.argsort(-(box[:, 2:] - box[:, :2]).prod(-1))]

    def __call__(self, image: np.ndarray, most: int = 12) -> Detections:
        """At most so many components of each of the pictures `[N, H, W, C]`, as each of the K classes."""
        num_classes = len(self.mean)
        box, mask = np.zeros((len(image), most, 4), np.float32), np.zeros((len(image), most), np.float32)
        for n, one in enumerate(image):
            found = self.components(one)[:most]
            box[n, : len(found)], mask[n, : len(found)] = found, 1
        size = np.log(np.maximum((box[..., 2:] - box[..., :2]).prod(-1), 1e-6))[..., None]
        score = self.log_prior - np.log(self.std) - ((size - self.mean) / self.std) ** 2 / 2
        score = np.exp(score - np.logaddexp.reduce(score, -1, keepdims=True)).astype(np.float32)
        label = np.broadcast_to(np.arange(num_classes, dtype=np.int32), score.shape)
        flat = len(image), most * num_classes
        repeated = [np.repeat(of, num_classes, 1) for of in (box, mask)]
        return Detections(repeated[0], label.reshape(flat), score.reshape(flat), repeated[1])


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`[n, m]` of boxes `[n, 4]` and `[m, 4]`."""
    ends = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.maximum(ends, 0).prod(-1)
    areas = [(of[:, 2:] - of[:, :2]).prod(-1) for of in (a, b)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)
