"""Factories of computer vision, gathered."""

from tests.vision import cases_dense, cases_detection, cases_motion, cases_robust, cases_transfer

CASES = {
    **cases_dense.CASES,
    **cases_detection.CASES,
    **cases_motion.CASES,
    **cases_robust.CASES,
    **cases_transfer.CASES,
}
