"""Tasks of seeing."""

from tests.vision import cases_transfer

CASES = {**cases_transfer.CASES}
