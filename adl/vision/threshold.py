"""What segmentation without learning a network reaches: thresholds of colour or of grey, found on training pictures.

On the host, in NumPy and SciPy: nothing here is differentiated, or seen twice.
"""

from typing import NamedTuple

import numpy as np

from adl.data.segments import IGNORED

FITTED = 6  # pictures that a threshold of grey is found on
FEWEST = 4  # pixels of a component; less is noise
DISTANCES = (20, 30, 40, 50, 60, 80, 100, 120, 150)  # of colours, in grey levels
BLURS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # standard deviations in pixels
SHARES = np.linspace(0.05, 0.6, 23)  # of the pixels, of which the grey level is a threshold


class ColourThreshold(NamedTuple):
    """Pixels far from the colour of the picture's border, in connected components, each of its likeliest class.

    The class of a component is the likeliest by how many objects there are of each and how large they are: the
    logarithm of their pixels is normal. Class 0 is the background.
    """

    distance: float  # from the border's median colour, Euclidean, in grey levels
    log_prior: np.ndarray  # [K - 1]
    mean: np.ndarray  # [K - 1] of the logarithm of pixels
    std: np.ndarray  # [K - 1]

    @classmethod
    def fit(cls, image: np.ndarray, segment: np.ndarray, num_classes: int) -> "ColourThreshold":
        """The distance whose mean IoU is the highest.

        Args:
          image: `[N, H, W, C]` uint8.
          segment: `[N, H, W]` integers in 0 ... K - 1, or `IGNORED`.
          num_classes: K >= 2.
        """
        sizes = [np.zeros(0)] * (num_classes - 1)
        for k in range(1, num_classes):
            labels, _ = _components(segment == k)
            sizes[k - 1] = np.log(np.bincount(labels[labels > 0])[1:].clip(1)) if labels.any() else np.zeros(0)
        counts = np.array([len(x) for x in sizes]) + 1e-3
        mean, std = (np.array([f(x) if len(x) else 0.0 for x in sizes]) for f in (np.mean, np.std))
        fits = [cls(float(d), np.log(counts / counts.sum()), mean, np.maximum(std, 0.1)) for d in DISTANCES]
        return max(fits, key=lambda one: _mean_iou(one(image), segment, num_classes))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """`[N, H, W]` int32 classes of pictures `[N, H, W, C]`."""
        x = image.astype(np.float32)
        border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], 1)
        far = np.linalg.norm(x - np.median(border, 1)[:, None, None], axis=-1) > self.distance
        labels, count = _components(far)
        size = np.bincount(labels.reshape(-1), minlength=count + 1)
        off = (np.log(size.clip(1))[:, None] - self.mean) / self.std
        kind = 1 + (self.log_prior - np.log(self.std) - off**2 / 2).argmax(-1)
        kind[size < FEWEST] = 0
        kind[0] = 0
        return kind[labels].astype(np.int32)


class GreyThreshold(NamedTuple):
    """What is darker than the rest after a blur is class 0, all else 1: for two classes, of pictures of one channel."""

    blur: float  # standard deviation in pixels
    share: float  # of a picture's pixels that are taken for class 0, the darkest

    @classmethod
    def fit(cls, image: np.ndarray, segment: np.ndarray) -> "GreyThreshold":
        """That whose Dice of class 0 is the highest, on `FITTED` of the pictures.

        Args:
          image: `[N, H, W, C]` uint8.
          segment: `[N, H, W]` integers in {0, 1}, or `IGNORED`.
        """
        rows = np.unique(np.linspace(0, len(image) - 1, FITTED).round().astype(int))
        counts, true, best = segment[rows] != IGNORED, segment[rows] == 0, (-1.0, cls(0.0, 0.5))
        for blur in BLURS:
            grey = _blurred(image[rows], blur)
            for share, least in zip(SHARES, np.quantile(grey, SHARES, axis=(1, 2))[..., None, None], strict=True):
                told = (grey <= least) & counts
                dice = 2 * (told & true).sum() / max(told.sum() + (true & counts).sum(), 1)
                best = max(best, (float(dice), cls(blur, float(share))))
        return best[1]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """`[N, H, W]` int32 classes of pictures `[N, H, W, C]`."""
        grey = _blurred(image, self.blur)
        return (grey > np.quantile(grey, self.share, axis=(1, 2), keepdims=True)).astype(np.int32)


def thresholded(image: np.ndarray, segment: np.ndarray, num_classes: int, test: np.ndarray) -> np.ndarray:
    """What the threshold that is meant for such pictures, found on some, tells of others: `[N, H, W]` classes.

    Args:
      image: `[N, H, W, C]` uint8, to learn from.
      segment: `[N, H, W]` their classes, or `IGNORED`.
      num_classes: K; where there are two, and pictures are grey, the threshold is of grey.
      test: `[N, H, W, C]` the others.
    """
    is_grey = num_classes == 2 and image.shape[-1] == 1
    rule = GreyThreshold.fit(image, segment) if is_grey else ColourThreshold.fit(image, segment, num_classes)
    return rule(test)


def _blurred(image: np.ndarray, std: float) -> np.ndarray:
    """`[N, H, W]` mean of the channels, smoothed."""
    from scipy import ndimage

    return ndimage.gaussian_filter(image.mean(-1, dtype=np.float32), (0, std, std))


def _components(is_part: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected components `[N, H, W]`, numbered from 1 through all pictures, and how many there are."""
    from scipy import ndimage

    plane = np.ones((3, 3), bool)
    return ndimage.label(is_part, np.stack([0 * plane, plane, 0 * plane]))


def _mean_iou(told: np.ndarray, true: np.ndarray, num_classes: int) -> float:
    """Mean over the classes that occur."""
    counts = true != IGNORED
    table = np.bincount((num_classes * true + told)[counts], minlength=num_classes**2).reshape(num_classes, -1)
    either = table.sum(0) + table.sum(1) - np.diag(table)
    return float((np.diag(table)[either > 0] / either[either > 0]).mean())
