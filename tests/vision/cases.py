"""Factories of computer vision, gathered."""

from tests.vision import cases_motion

CASES = {**cases_motion.CASES}
