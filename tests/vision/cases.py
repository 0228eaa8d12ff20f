"""Factories of computer vision, gathered."""

from tests.vision import cases_detection

CASES = {**cases_detection.CASES}
