"""Tracks: points that drift in the plane, second by second, and are measured through noise, but for gaps."""

from collections.abc import Sequence

import numpy as np

START = np.array([5.0, 1.0, 5.0, 1.0])  # standard deviations at first, of x and its velocity, of y and its


def drifting(num_tracks: int, length: int, *, process: float, measurement: float, seed: int = 0) -> np.ndarray:
    """Measurements `[num_tracks, length, 2]` float32, in m, of points whose velocities are random walks.

    The motion is that of `graphical.kalman.constant_velocity`.

    Args:
      num_tracks: >= 1.
      length: in seconds, >= 1.
      process: root of the acceleration's spectral density, m / s^1.5.
      measurement: standard deviation of a measured coordinate, m.
      seed: of the tracks.
    Source: Bar-Shalom, Li & Kirubarajan 2001, Estimation with Applications to Tracking and Navigation, section 6.2.2.
    """
    rng = np.random.default_rng(seed)
    step, place, noise = np.eye(4), np.zeros((4, 2)), process**2 * np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    step[0, 1] = step[2, 3] = 1.0
    place[[0, 2], [0, 1]] = 1.0
    root = np.kron(np.eye(2), np.linalg.cholesky(noise))
    states = [rng.normal(size=(num_tracks, 4)) * START]
    for _ in range(length - 1):
        states.append(states[-1] @ step.T + rng.normal(size=(num_tracks, 4)) @ root.T)
    measured = np.stack(states, 1) @ place
    return (measured + measurement * rng.normal(size=measured.shape)).astype(np.float32)


def gaps(length: int, unseen: Sequence[tuple[int, int]]) -> np.ndarray:
    """Mask `[length]` float32: 0 from each first second to before each last, 1 elsewhere."""
    mask = np.ones(length, np.float32)
    for first, end in unseen:
        mask[first:end] = 0
    return mask
