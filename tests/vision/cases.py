"""Factories of computer vision, gathered."""

from tests.vision import cases_dense

CASES = {**cases_dense.CASES}
