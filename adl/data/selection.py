"""Sources made of sources: some examples of several, and examples that carry their row."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Selected:
    """A source that has some rows of several, one after the other."""

    def __init__(self, sources: Sequence[Any], rows: np.ndarray):
        self.sources, self.rows = sources, rows
        self._ends = np.cumsum([len(source) for source in sources]).tolist()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        places, found = self.rows[list(rows)], {}
        for source, end in zip(self.sources, self._ends, strict=True):
            mine = np.flatnonzero((places < end) & (places >= end - len(source)))
            if mine.size:
                read = source.__getitems__((places[mine] - (end - len(source))).tolist())
                found |= zip(mine.tolist(), read, strict=True)
        return [found[place] for place in range(len(places))]

    def column(self, name: str) -> np.ndarray | None:
        """A whole column, where all sources know theirs."""
        parts = [getattr(source, "column", lambda name: None)(name) for source in self.sources]
        return None if any(part is None for part in parts) else np.concatenate(parts)[self.rows]


class Numbered:
    """A source whose examples carry their row."""

    def __init__(self, source: Any):
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        return [{**example, "index": row} for row, example in zip(rows, self.source.__getitems__(rows), strict=True)]
