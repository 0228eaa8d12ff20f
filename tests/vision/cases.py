"""Factories of computer vision, gathered."""

from tests.vision import cases_robust

CASES = {**cases_robust.CASES}
