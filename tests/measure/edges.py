"""What results are judged by, at the edges: constants, duplicates, absent classes, one example, infinity, nan."""

import jax.numpy as jnp
import numpy as np
from scipy import special, stats
from scipy.spatial.distance import cdist, pdist
from sklearn import metrics

from adl.measure import (
    boxes,
    calibration,
    classification,
    clustering,
    consistency,
    depth,
    distance,
    elo,
    forecast,
    outliers,
    pictures,
    plane,
    pointing,
    pose,
    ranks,
    rate,
    regression,
    representation,
    roc,
    samples,
    support,
)
from adl.prob.gaussian import MultivariateNormal
from tests.edge import Edge

RNG = np.random.default_rng(0)
INF, NAN = np.inf, np.nan
LABEL = np.array([0, 1, 1, 0, 1], np.int32)
ABSENT = np.ones(5, np.int32)
LOGITS = RNG.normal(size=(5, 2))
OUTPUTS = {
    "plain": (LOGITS, LABEL),
    "far apart": (1e4 * LOGITS, LABEL),
    "offset": (LOGITS + 1e3, LABEL),
    "ties": (0 * LOGITS, LABEL),
}
BROKEN = {"nan": (LOGITS * NAN, LABEL)}
WITHOUT = {"absent class": (LOGITS, ABSENT)}


def softmax_nll(logits, label):
    return -special.log_softmax(logits, -1)[np.arange(5), label].mean()


def of_scores(outputs, label, num_bins=15):
    p = special.softmax(outputs, -1)
    confidence, right = p.max(-1), outputs.argmax(-1) == label
    index = np.searchsorted(np.arange(1, num_bins) / num_bins, confidence.astype("f"), side="left")
    gaps = [abs((right[index == b] - confidence[index == b]).sum()) for b in range(num_bins)]
    brier = ((p - np.eye(2)[label]) ** 2).sum(-1).mean()
    return {"accuracy": right.mean(), "brier": brier, "ece": sum(gaps) / 5, "nll": softmax_nll(outputs, label)}


def values(found):
    return {name: mean.value for name, mean in found.items()}


DEPTHS = RNG.uniform(1, 8, (2, 3, 4))


def of_depths(told, true):
    known = (true > 0) & np.isfinite(true)
    safe = np.where(known, true, 1)
    d = [(np.log(a) - np.log(b))[k] for a, b, k in zip(told, safe, known, strict=True)]
    all_d, told, true = np.concatenate(d), told[known], true[known]
    found = {
        "relative": (abs(told - true) / true).mean() if known.any() else NAN,
        "rmse": np.sqrt(((told - true) ** 2).mean()) if known.any() else NAN,
        "rmse_log": np.sqrt((all_d**2).mean()) if known.any() else NAN,
        "scale_invariant": np.mean([x.var() for x in d if len(x)]) if known.any() else NAN,
    }
    within = {f"within_{k}": np.mean(abs(all_d) < k * np.log(1.25)) if known.any() else NAN for k in (1, 2, 3)}
    return {**found, **within}


def area(score, label):
    return NAN if np.isnan(score).any() or len(set(label)) < 2 else metrics.roc_auc_score(label, score)


def precision(score, label):
    return NAN if np.isnan(score).any() or len(set(label)) < 2 else metrics.average_precision_score(label, score)


def log_probs(z):
    return z - special.logsumexp(z, -1, keepdims=True)


def judged(x, y):
    found = values({name: mean for name, mean in fidelity(x, y).items() if name.startswith("two_sample")})
    return [found[name] for name in ("two_sample_data", "two_sample_samples", "two_sample_accuracy")]


def fidelity(x, y):
    return samples.fidelity(x, y, jnp.asarray(LABEL), num_classes=2)


def covered(x, y):
    seen = samples.mode_coverage(x, y, radius=0.5, num_needed=1)
    return seen["modes"].value, seen["quality"].value


def within(x, y):
    near = ((x[:, None] - y[None]) ** 2).sum(-1) <= 0.25
    return near.any(0).sum(), near.any(1).mean()


SCORES = {
    "plain": (RNG.normal(size=6), np.array([0, 1, 1, 0, 1, 0])),
    "ties": (np.zeros(6), np.array([0, 1, 1, 0, 1, 0])),
    "infinite": (np.array([INF, 1, INF, -INF, 0, -INF]), np.array([0, 1, 1, 0, 1, 0])),
    "1e-15": (1e-15 * np.arange(6.0), np.array([0, 1, 1, 0, 1, 0])),
    "1e15": (1e15 * np.arange(6.0), np.array([0, 1, 1, 0, 1, 0])),
}
NONE_SUCH = {"nan": (np.full(6, NAN), np.array([0, 1, 1, 0, 1, 0])), "one class": (np.arange(6.0), np.zeros(6, int))}
COUNTS = {
    "plain": (np.array([[3.0, 1], [0, 2]]),),
    "same": (np.array([[3.0, 0], [0, 2]]),),
    "one label": (np.array([[5.0, 0], [0, 0]]),),
    "many": (np.array([[3e7, 1e7], [0, 2e7]]),),
    "independent": (np.array([[1.0, 1], [1, 1]]),),
}
EMPTY = {"nothing": (np.zeros((2, 2)),), "nan": (np.full((2, 2), NAN),)}


def mutual(counts):
    p = counts / counts.sum()
    separate = special.entr(p.sum(0)).sum() + special.entr(p.sum(1)).sum()
    return 2 * (1 - special.entr(p).sum() / separate) if separate else 1.0


X, Y = RNG.normal(size=(2, 5, 2))
PAIR = {
    "plain": (X, Y),
    "at 1e4": (np.round(256 * X) / 256 + 1e4, np.round(256 * Y) / 256 + 1e4),
    "1e-15": (1e-15 * X, 1e-15 * Y),
    "1e15": (1e15 * X, 1e15 * Y),
    "copies": (X, X),
    "constants": (0 * X + 3, 0 * X + 3),
    "constant column": (X * np.array([1, 0]), Y * np.array([1, 0])),
}
NO_PAIR = {"nan": (X * NAN, Y), "infinite": (X, Y + np.array([[INF, 0]]))}


def shares(x, y):
    both, is_x = np.concatenate([x, y]), np.arange(10) < 5
    d = ((both[:, None] - both[None]) ** 2).sum(-1)
    np.fill_diagonal(d, INF)
    nearest = d <= d.min(1, keepdims=True)
    own = (nearest & (is_x[:, None] == is_x[None])).sum(1) / nearest.sum(1)
    return own[:5].mean(), own[5:].mean()


def frechet(x, y):
    s, t = np.cov(x.T), np.cov(y.T)
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ t @ root), 0)).sum()
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * overlap


LINE = np.array([1.0, 3, 2, 5, 4])
PLAIN = {"slopes": (), "atol": 1e-6}
FLOATS = {
    "plain": (LINE, LINE**2 + LINE[::-1]),
    "offset": (LINE + 1e4, LINE[::-1] - 1e4),
    "1e-15": (1e-15 * LINE, 1e-15 * LINE[::-1]),
    "1e15": (1e15 * LINE, 1e15 * LINE[::-1]),
    "ties": (np.array([1.0, 1, 2, 2, 3]), LINE),
}
NORMALISED = {at: (log_probs(scale * LOGITS), LABEL) for at, scale in (("plain", 1), ("sure", 30), ("even", 0))}
BINS = {
    "plain": (np.exp(log_probs(LOGITS)), LABEL),
    "sure": (np.eye(2)[LABEL], LABEL),
    "even": (LOGITS * 0 + 0.5, LABEL),
}
NO_BINS = {"nan": (LOGITS * NAN, LABEL)}


def one_class(z, y):
    found = classification.OneClass.of(z, y, 1)
    return found.area, found.average_precision, found.ece


def errors(x, m, s):
    return consistency.normalised_error(x, MultivariateNormal(m, s))


def deviations(x, m, s):
    return consistency.root_mean_square(x, MultivariateNormal(m, s), [0])


TRACK = RNG.normal(size=(3, 2, 2))
COVARIANCE = np.broadcast_to(np.array([[1.0, 0.6], [0.6, 0.9]]), (3, 2, 2, 2))
TRACKS = {
    "plain": (TRACK, 0 * TRACK, COVARIANCE),
    "at 1e4": (np.round(256 * TRACK) / 256 + 1e4, 0 * TRACK + 1e4, COVARIANCE),
    "1e-15": (1e-15 * TRACK, 0 * TRACK, 1e-30 * COVARIANCE),
    "1e15": (1e15 * TRACK, 0 * TRACK, 1e30 * COVARIANCE),
}
CENTRED = {
    "plain": (np.array([3.0, 2, 1, 4]),),
    "large": (1e15 * np.array([3.0, 2, 1, 4]),),
    "small": (1e-15 * np.array([3.0, 2, 1, 4]),),
    "a point": (np.zeros(4),),
}
BOX = np.array([1.0, 1, 3, 4])
PAIRED = {
    "plain": (BOX, np.array([2.0, 0, 5, 3])),
    "same": (BOX, BOX),
    "apart": (BOX, BOX + 8),
    "touching": (BOX, BOX + np.array([2.0, 0, 2, 0])),
    "within": (BOX, np.array([1.5, 2, 2, 3])),
    "1e15": (1e15 * BOX, 1e15 * (BOX + 1)),
    "1e-15": (1e-15 * BOX, 1e-15 * (BOX + 1)),
    "a point": (np.ones(4), BOX),
    "twice a point": (np.ones(4), np.ones(4)),
    "a line": (np.array([1.0, 1, 1, 4]), BOX),
    "end before start": (BOX[[2, 3, 0, 1]], BOX),
}
BLANK_PAIR = {"nan": (BOX * NAN, BOX)}


def area_of(box):
    return np.maximum(box[2:] - box[:2], 0).prod()


def shared_of(a, b):
    return area_of(np.concatenate([np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])]))


def iou_of(a, b):
    union = area_of(a) + area_of(b) - shared_of(a, b)
    return shared_of(a, b) / union if union > 0 or np.isnan(union) else 0.0


def generalised_of(a, b):
    hull = area_of(np.concatenate([np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])]))
    union = area_of(a) + area_of(b) - shared_of(a, b)
    return iou_of(a, b) - ((hull - union) / hull if hull > 0 or np.isnan(hull) else 0.0)


HEAT, MASK = RNG.uniform(size=(2, 3, 3)), (RNG.uniform(size=(2, 3, 3)) < 0.5).astype(np.float64)
HEATS = {
    "plain": (HEAT, MASK),
    "blank": (0 * HEAT, MASK),
    "the same everywhere": (0 * HEAT + 3, MASK),
    "tiny": (1e-30 * HEAT, MASK),
    "huge": (1e37 * HEAT, MASK),
    "one place": (np.eye(9)[:2].reshape(2, 3, 3), MASK),
    "nowhere": (HEAT, 0 * MASK),
    "everywhere": (HEAT, 0 * MASK + 1),
}

CLOUD = np.random.default_rng(3).normal(size=(7, 2))


def energy_distance_of(x, y):
    """By SciPy's distances."""
    own = sum(pdist(part).mean() for part in (x, y))
    return 2 * cdist(x, y).mean() - own


EDGES = {
    "calibration.scores": Edge(
        lambda z, y: values(calibration.scores(z, y)), NORMALISED | BROKEN, of_scores, blank=("nan",), **PLAIN
    ),
    "calibration.reliability": Edge(
        lambda p, y: tuple(calibration.reliability(p, y, num_bins=2)),
        BINS,
        lambda p, y: (
            (right := p.argmax(1) == y, low := p.max(1) <= 0.5)
            and tuple(np.array([v[low].sum(), v[~low].sum()]) for v in (np.ones(5), p.max(1), 1.0 * right))
        ),
        **PLAIN,
    ),
    "calibration.binned": Edge(
        lambda p, y: tuple(calibration.binned(p[:, 1], y, num_bins=2, weights=jnp.array([1.0, 1, 1, 1, 0]))),
        BINS | {"padding is nan": (np.where(np.arange(5)[:, None] < [4, 4], 0.7, NAN), LABEL)},
        lambda p, y: tuple(
            np.array([v[:4][p[:4, 1] <= 0.5].sum(), v[:4][p[:4, 1] > 0.5].sum()])
            for v in (np.ones(5), p[:, 1], 1.0 * y)
        ),
        **PLAIN,
    ),
    "calibration.expected_calibration_error": Edge(
        lambda n, c, r: calibration.expected_calibration_error(calibration.Bins(n, c, r)),
        {
            "plain": (np.array([2.0, 3]), np.array([1.2, 2.9]), np.array([1.0, 3])),
            "many": (np.array([2e7, 0]), np.array([1.2e7, 0]), np.array([1e7, 0])),
            "nothing": (np.zeros(2), np.zeros(2), np.zeros(2)),
        },
        lambda n, c, r: np.abs(r - c).sum() / n.sum(),
        slopes=(),
        blank=("nothing",),
    ),
    "calibration.brier_score": Edge(
        calibration.brier_score, BINS | NO_BINS, lambda p, y: ((p - np.eye(2)[y]) ** 2).sum(-1), blank=("nan",), **PLAIN
    ),
    "classification.scores": Edge(
        lambda z, y: values(classification.scores(z, y)),
        OUTPUTS | BROKEN,
        lambda z, y: of_scores(z, y) | {"auc": area(z[:, 1] - z[:, 0], y)},
        blank=("nan",),
        slopes=(),
        rtol=1e-3,
        atol=1e-4,
    ),
    "classification.scores, absent class": Edge(
        lambda z, y: values(classification.scores(z, y))["auc"], OUTPUTS | WITHOUT, slopes=(), blank=("absent class",)
    ),
    "classification.OneClass.of": Edge(
        one_class,
        OUTPUTS | BROKEN,
        lambda z, y: (area(z[:, 1] - z[:, 0], y), precision(z[:, 1] - z[:, 0], y), of_scores(z, y, 10)["ece"]),
        blank=("nan",),
        slopes=(),
        atol=1e-4,
    ),
    "clustering.normalized_mutual_information": Edge(
        clustering.normalized_mutual_information, COUNTS | EMPTY, mutual, blank=("nothing", "nan"), **PLAIN
    ),
    "clustering.purity": Edge(
        clustering.purity, COUNTS | EMPTY, lambda c: c.max(0).sum() / c.sum(), blank=("nothing", "nan"), **PLAIN
    ),
    "clustering.contingency": Edge(
        lambda x, y: clustering.contingency(x, y, num_x=2, num_y=2),
        {"plain": (LABEL, LABEL[::-1].copy()), "absent": (ABSENT, LABEL), "none": (0 * LABEL - 1, LABEL)},
        lambda x, y: np.array([[((x == i) & (y == j)).sum() for j in range(2)] for i in range(2)]),
        slopes=(),
    ),
    "consistency.normalised_error": Edge(
        errors,
        TRACKS,
        lambda x, m, s: np.einsum("btd,btde,bte->t", x - m, np.linalg.inv(s), x - m) / 6,
        slopes=(),
        rtol=1e-3,
    ),
    "consistency.root_mean_square": Edge(
        deviations,
        TRACKS,
        lambda x, m, s: np.sqrt([((x - m)[..., 0] ** 2).mean(0), s[..., 0, 0].mean(0)]),
        slopes=(),
    ),
    "pointing.pointed": Edge(
        pointing.pointed,
        HEATS | {"nan": (HEAT * NAN, MASK)},
        lambda h, m: np.array([m[i][h[i] == h[i].max()].mean() if h[i].max() == h[i].max() else NAN for i in (0, 1)]),
        slopes=(),
        blank=("nan",),
    ),
    "pointing.mass_within": Edge(
        pointing.mass_within,
        HEATS | {"nan": (HEAT * NAN, MASK)},
        lambda h, m: np.array([(m[i] * h[i]).sum() / h[i].sum() if h[i].any() else m[i].mean() for i in (0, 1)]),
        slopes=(),
        blank=("nan",),
    ),
    "ranks.rank_correlation": Edge(
        ranks.rank_correlation,
        FLOATS | {"constant": (0 * LINE + 3, LINE), "nan": (LINE, LINE * NAN)},
        lambda x, y: NAN if np.ptp(x) == 0 else stats.spearmanr(x, y).statistic,
        slopes=(),
        blank=("constant", "nan"),
    ),
    "rate.bits": Edge(
        lambda log_prob, mask: values(rate.bits(log_prob, num_dims=64, levels=17, mask=mask)),
        {"plain": (-100 * LINE, LINE > 1), "huge": (-1e15 * LINE, LINE > 1), "none counts": (LINE, LINE < 0)},
        slopes=(),
        blank=("none counts",),
    ),
    "rate.power_law": Edge(
        rate.power_law,
        {
            "plain": (LINE, LINE**2),
            "1e-15": (1e-15 * LINE, 1e15 * LINE),
            "far": (LINE + 1e3, LINE),
            "constant": (0 * LINE + 0.1, LINE),
            "zero": (LINE * 0, LINE),
        },
        lambda x, y: NAN if np.ptp(x) == 0 else stats.linregress(np.log(x), np.log(y)).slope,
        slopes=(),
        rtol=5e-3,
        blank=("constant", "zero"),
    ),
    "forecast.pinball": Edge(
        lambda q, y: forecast.pinball(q, y, 0.25),
        FLOATS,
        lambda q, y: np.where(y > q, 0.25 * (y - q), 0.75 * (q - y)),
        slopes=(),
    ),
    "forecast.crps": Edge(
        lambda q, y: forecast.crps(q, y[:, 0]),
        PAIR,
        lambda q, y: np.abs(q - y[:, :1]).mean(1) - np.abs(q[:, :1] - q[:, 1:])[:, 0] / 4,
        slopes=(),
        rtol=1e-3,
        atol=1e-9,
    ),
    "forecast.seasonal_scale": Edge(
        lambda x, y: forecast.seasonal_scale(jnp.concatenate([x, y], 1), 2),
        PAIR,
        lambda x, y: np.abs(x - y).mean(1),
        slopes=(),
    ),
    "forecast.forecast_scores": Edge(
        lambda x, y: values(forecast.forecast_scores(x[:, None], jnp.concatenate([x, y], 1), y[:, :1], period=2)),
        {name: pair for name, pair in PAIR.items() if name not in ("copies", "constants")},
        slopes=(),
        rtol=1e-3,
    ),
    "regression.rmse": Edge(
        regression.rmse, FLOATS | {"equal": (LINE, LINE)}, lambda x, y: np.sqrt(((x - y) ** 2).mean()), slopes=()
    ),
    "regression.scores": Edge(
        lambda p, m, y: values(regression.scores(p, m, y, unit=3.0)),
        {
            "plain": (LINE, LINE, LINE[::-1]),
            "at 1e4": (LINE, LINE + 1e4, LINE[::-1] + 1e4),
            "impossible": (LINE - 1e4, LINE, LINE[::-1]),
        },
        lambda p, m, y: {"loss": np.log(3) - p.mean(), "rmse": 3 * np.sqrt(((m - y) ** 2).mean())},
        slopes=(),
    ),
    "representation.log_odds": Edge(
        lambda w, b, x: representation.log_odds(representation.LinearMap(w, b), x),
        {"plain": (X.T, np.ones(5), Y), "1e-15": (1e-15 * X.T, np.zeros(5), Y), "1e15": (1e15 * X.T, np.ones(5), Y)},
        lambda w, b, x: x @ w + b,
        slopes=(),
        rtol=1e-3,
    ),
    "representation.told_linearly": Edge(
        lambda x: representation.told_linearly(
            *[(x, jnp.asarray(LABEL))] * 2,
            lambda x, label: representation.LinearMap(jnp.array([[1.0, -1.0], [2.0, 0.5]], x.dtype), jnp.zeros(2)),
        ),
        {"plain": (X,), "at 1e3": (X + 1e3,), "constant column": (X * np.array([1, 0]),), "1e-15": (1e-15 * X,)},
        slopes=(),
    ),
    "representation.softmax_regression": Edge(
        lambda x: representation.softmax_regression(x, jnp.asarray(LABEL), num_classes=2, l2=0.1).kernel,
        {"plain": (X,), "constant column": (X * np.array([1, 0]),), "duplicates": (X[:, :1] * np.ones(2),)},
        slopes=(),
        rtol=1e-3,
        atol=1e-4,
    ),
    "representation.linear_svm": Edge(
        lambda x: representation.linear_svm(x, jnp.asarray(LABEL), num_classes=2, l2=0.1).kernel,
        {"plain": (X,), "constant column": (X * np.array([1, 0]),), "duplicates": (X[:, :1] * np.ones(2),)},
        slopes=(),
        rtol=1e-3,
        atol=1e-4,
    ),
    "outliers.outlier_area": Edge(
        outliers.outlier_area,
        SCORES | NONE_SUCH,
        lambda s, y: area(np.clip(s, -1e30, 1e30), y),
        slopes=(),
        blank=("nan", "one class"),
    ),
    "roc.threshold_curve": Edge(
        lambda s, y: roc.threshold_curve(s, y).true_positive_rate[1:],
        SCORES | {"nan": NONE_SUCH["nan"]},
        lambda s, y: np.array([((s >= t) & (y == 1)).sum() / 3 for t in np.sort(s)[::-1]]),
        slopes=(),
        blank=("nan",),
    ),
    "roc.area_under_roc": Edge(
        lambda s, y: roc.area_under_roc(roc.threshold_curve(s, y)),
        SCORES | NONE_SUCH,
        lambda s, y: area(np.clip(s, -1e30, 1e30), y),
        slopes=(),
        blank=("nan", "one class"),
    ),
    "roc.average_precision": Edge(
        lambda s, y: roc.average_precision(roc.threshold_curve(s, y)),
        SCORES | NONE_SUCH,
        lambda s, y: precision(np.clip(s, -1e30, 1e30), y),
        slopes=(),
        blank=("nan", "one class"),
    ),
    "roc.log_odds": Edge(
        lambda z: roc.log_odds(z, 1),
        {"plain": (LOGITS,), "sure": (np.tile([-INF, 0.0], (5, 1)),), "offset": (LOGITS + 1e3,)},
        lambda z: z[:, 1] - z[:, 0],
        slopes=(),
        atol=1e-4,
        infinite=("sure",),
    ),
    "roc.mean_area": Edge(
        roc.mean_area,
        OUTPUTS | WITHOUT,
        lambda z, y: area(z[:, 1] - z[:, 0], y) if len(set(y)) > 1 else NAN,
        slopes=(),
        blank=("absent class",),
    ),
    "samples.recognised": Edge(
        lambda x, y: tuple(samples.recognised(x, y)), PAIR | NO_PAIR, shares, slopes=(), blank=("nan", "infinite")
    ),
    "samples.two_sample_accuracy": Edge(
        samples.two_sample_accuracy,
        PAIR | NO_PAIR,
        lambda x, y: sum(shares(x, y)) / 2,
        slopes=(),
        blank=("nan", "infinite"),
    ),
    "distance.frechet_distance": Edge(
        distance.frechet_distance,
        {at: PAIR[at] for at in ("plain", "at 1e4", "constants", "constant column", "copies")}
        | {"nan": NO_PAIR["nan"]},
        frechet,
        slopes=(),
        atol=1e-5,
        blank=("nan",),
    ),
    "distance.frechet_distance, of great scale": Edge(
        lambda x, y: distance.frechet_distance(x, y) / jnp.square(x).max(),
        {at: PAIR[at] for at in ("plain", "1e-15", "1e15")},
        lambda x, y: frechet(x, y) / np.square(x).max(),
        slopes=(),
    ),
    "distance.frechet_distance, of one example": Edge(
        lambda x, y: distance.frechet_distance(x, y[:1]),
        {"plain": (X, Y), "constants": (0 * X, 0 * X)},
        slopes=(),
        blank=("plain", "constants"),
    ),
    "distance.kernel_distance": Edge(
        distance.kernel_distance,
        {at: PAIR[at] for at in ("plain", "at 1e4", "constants", "constant column", "1e-15")}
        | {"nan": NO_PAIR["nan"], "infinite": NO_PAIR["infinite"]},
        slopes=(),
        atol=1e-30,
        blank=("nan", "infinite"),
    ),
    "distance.kernel_distance, of one example": Edge(
        lambda x, y: distance.kernel_distance(x, y[:1]),
        {"plain": (X, Y), "constants": (0 * X, 0 * X)},
        slopes=(),
        blank=("plain", "constants"),
    ),
    "support.shared_support": Edge(
        lambda x, y: tuple(support.shared_support(x, y)), PAIR | NO_PAIR, slopes=(), blank=("nan", "infinite")
    ),
    "samples.closeness": Edge(
        lambda x, y: values(samples.closeness(x, y)), {"plain": (X, Y), **NO_PAIR}, slopes=(), blank=("nan", "infinite")
    ),
    "pictures.random_features": Edge(
        pictures.random_features((4, 4, 1)),
        {"plain": (X[:4, :1, None, None] * np.ones((4, 4, 4, 1)),), "black": (np.zeros((4, 4, 4, 1)),)}
        | {"nan": (np.full((4, 4, 4, 1), NAN),)},
        slopes=(),
        blank=("nan",),
    ),
    "samples.fidelity": Edge(
        judged,
        PAIR | NO_PAIR,
        lambda x, y: [*shares(y, x), sum(shares(x, y)) / 2],
        slopes=(),
        blank=("nan", "infinite"),
    ),
    "samples.mode_coverage": Edge(
        covered,
        {"plain": (X, Y), "at 1e4": PAIR["at 1e4"], "copies": (X, X), "far": (X, Y + 1e15)},
        within,
        slopes=(),
    ),
    "depth.depth_errors": Edge(
        lambda told, true: values(depth.finished(depth.depth_errors(told, true))),
        {
            "plain": (DEPTHS, DEPTHS[::-1]),
            "near": (1e-6 * DEPTHS, 1e-6 * DEPTHS[::-1]),
            "far": (1e6 * DEPTHS, 1e6 * DEPTHS[::-1]),
            "a factor beside": (1e6 * DEPTHS, DEPTHS),
            "all right": (DEPTHS, DEPTHS),
            "some unknown": (DEPTHS, np.where(DEPTHS > 3, DEPTHS, 0)),
            "nothing known": (DEPTHS, 0 * DEPTHS),
            "infinite": (DEPTHS, INF * DEPTHS),
        },
        of_depths,
        slopes=(),
        blank=("nothing known", "infinite"),
        atol=1e-6,
    ),
    "samples.rounded": Edge(
        samples.rounded,
        {
            "plain": (np.array([0.1, 0.7]), np.array([0.0, 0.5, 1])),
            "outside": (np.array([-1e15, 1e15]), np.array([0.0, 0.5, 1])),
            "nan": (np.full(2, NAN), np.array([0.0, 0.5, 1])),
        },
        lambda x, levels: levels[np.abs(x[:, None] - levels).argmin(1)],
        slopes=(),
        blank=("nan",),
    ),
    "plane.normaliser": Edge(
        lambda c: plane.normaliser(lambda state, x: state - 0.5 * (x**2).sum(-1), c, 8.0),
        {"plain": (0.0,), "high": (1e4,), "low": (-1e4,)},
        lambda c: c + np.log(2 * np.pi),
        slopes=(),
    ),
    "plane.energy_distance": Edge(
        lambda x, y: plane.energy_distance(x, y),
        {
            "plain": (CLOUD[:3], CLOUD[3:]),
            "far": (CLOUD[:3], CLOUD[3:] + 1e4),
            "tiny": (1e-12 * CLOUD[:3], 1e-12 * CLOUD[3:]),
            "huge": (1e12 * CLOUD[:3], 1e12 * CLOUD[3:]),
            "duplicates": (CLOUD[[0, 0, 1]], CLOUD[[0, 2, 2, 3]]),
        },
        energy_distance_of,
        slopes=(),
    ),
    "boxes.corners": Edge(boxes.corners, CENTRED, lambda c: np.concatenate([c[:2] - c[2:] / 2, c[:2] + c[2:] / 2])),
    "boxes.centred": Edge(boxes.centred, CENTRED, lambda b: np.concatenate([(b[:2] + b[2:]) / 2, b[2:] - b[:2]])),
    "boxes.box_area": Edge(boxes.box_area, {at: of[:1] for at, of in PAIRED.items()}, area_of, slopes=()),
    "boxes.box_iou": Edge(boxes.box_iou, PAIRED | BLANK_PAIR, iou_of, slopes=(), blank=("nan",)),
    "boxes.generalised_box_iou": Edge(
        boxes.generalised_box_iou, PAIRED | BLANK_PAIR, generalised_of, slopes=(), blank=("nan",), atol=1e-6
    ),
}
BODY = RNG.uniform(-1, 1, (2, 3, 14, 2))
SEEN = np.tile(np.arange(14) % 5 > 0, (3, 1)).astype(np.int32)
POSES = {
    "plain": (*BODY, SEEN),
    "small": (*(1e-15 * BODY), SEEN),
    "large": (*(1e15 * BODY), SEEN),
    "right": (BODY[0], BODY[0], SEEN),
}
LENGTHS = {name: (joints, seen) for name, (joints, _, seen) in POSES.items()}
LENGTHS |= {"one place": (0 * BODY[0], SEEN), "hidden": (BODY[0], 0 * SEEN), "nan": (BODY[0] * NAN, SEEN)}
SHARES = {
    "plain": (np.abs(BODY[0, ..., 0]), np.array([1.0, 2.0, 3.0]), SEEN),
    "large": (1e30 * np.abs(BODY[0, ..., 0]), 1e30 * np.array([1.0, 2.0, 3.0]), SEEN),
    "some without": (np.abs(BODY[0, ..., 0]), np.array([1.0, NAN, 3.0]), SEEN),
    "none has": (np.abs(BODY[0, ..., 0]), np.full(3, NAN), SEEN),
    "none counts": (np.abs(BODY[0, ..., 0]), np.array([1.0, 2.0, 3.0]), 0 * SEEN),
    "errors of nan": (np.full((3, 14), NAN), np.array([1.0, 2.0, 3.0]), SEEN),
}


def of_torso(joints, seen):
    length = np.hypot(*(joints[..., 9, :] - joints[..., 2, :]).T)
    return np.where((seen[..., 9] > 0) & (seen[..., 2] > 0) & (length > 0), length, NAN)


def right_share(error, reference, seen):
    counts = seen * (reference > 0)[:, None]
    return NAN if not counts.any() else ((error <= 0.3 * reference[:, None]) * counts).sum() / counts.sum()


def of_poses(predicted, joints, seen):
    error, reference = np.hypot(*(predicted - joints).transpose(2, 0, 1)), of_torso(joints, seen)
    right = (error <= 0.2 * reference[:, None]) * seen
    told = {"left_out": np.isnan(reference).sum(), "error": (error * seen).sum() / seen.sum()}
    return told | {"pck": right.sum() / (seen * ~np.isnan(reference)[:, None]).sum()}


EDGES |= {
    "elo.elo": Edge(
        elo.elo,
        {
            "plain": (np.array([[0.0, 3], [7, 0]]),),
            "lost all": (np.array([[0.0, 0], [40, 0]]),),
            "many games": (np.array([[0.0, 1e7], [3e7, 0]]),),
            "one draw": (np.array([[0.0, 0.5], [0.5, 0]]),),
        },
        lambda points: np.array([0.0, 400 * np.log10((points[1, 0] + 0.5) / (points[0, 1] + 0.5))]),
        slopes=(),
        atol=0.05,
    ),
    "pose.joint_errors": Edge(
        pose.joint_errors,
        {name: (a, b) for name, (a, b, _) in POSES.items()},
        lambda a, b: np.hypot(*np.moveaxis(a - b, -1, 0)),
        slopes=(),
    ),
    "pose.segment_length": Edge(
        pose.segment_length, LENGTHS, of_torso, slopes=(), blank=("one place", "hidden", "nan")
    ),
    "pose.pck": Edge(
        lambda error, reference, seen: pose.pck(error, reference, seen, 0.3).value,
        SHARES,
        right_share,
        slopes=(),
        blank=("none has", "none counts"),
    ),
    "pose.pose_scores": Edge(
        lambda predicted, joints, seen: values(pose.pose_scores(predicted, joints, seen)),
        POSES,
        of_poses,
        slopes=(),
    ),
}
NONE = {
    "probes: models, data and draws go in, and what is measured of them has edges here": """
        clustering.soft_clustering latents.arc latents.arithmetic latents.perturbed latents.prior
        latents.reconstructions latents.straight latents.traversal plane.density_map plane.kernel_density
        plane.likelihood representation.linear_probe representation.two_views disentanglement.gaps
        outliers.told_apart outliers.strangers pictures.as_arguments samples.judged_samples samples.in_features
        samples.judged_ways samples.require_several
        side_by_side.judged_together side_by_side.against detection.average_precisions
        detection.judged_once outliers.left_out_areas""",
    "counts, which tests/measure/test_detection.py holds to pycocotools' at every edge": """
        detection.precision_recall detection.PrecisionRecall.average_precision
        detection.PrecisionRecall.mean_average_precision detection.objects_found detection.surest_boxes""",
    "levels, which have no scale: tests/measure/test_levels.py": """
        levels.baseline_bits levels.independent_bits levels.one_gaussian_bits levels.known""",
    "fixed places": "plane.places forecast.quantile_levels",
    "draws": """
        plane.toy_points plane.truth plane.truth_map disentanglement.information_gap side_by_side.training_pictures""",
    "counts of pixels, which have no scale, and their names: tests/measure/test_segmentation.py": """
        segmentation.PixelCounts.of segmentation.PixelCounts.iou segmentation.PixelCounts.dice
        segmentation.PixelCounts.total segmentation.scores segmentation.ObjectPixels.of""",
    "what is a number, and a root: within depth.depth_errors": "depth.is_known depth.finished",
    "counts of things, which have no scale: tests/measure/test_asked.py": "asked.attribute_shares asked.nearest_asked",
    "of words": "bleu.words_13a bleu.gram_counts bleu.corpus_bleu",
    "of tokens, which have no scale": """
        texts.beside_people texts.repeated captions.caption_scores captions.bleu_of_tokens""",
    "0 or 1, where nothing is rounded": "forecast.covered preferred.win_rate",
    "what trained runs are asked: its parts are held here, the whole in tests/test_experiments.py": """
        latents.from_prior""",
}
