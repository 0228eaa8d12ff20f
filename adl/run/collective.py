"""Communication of a compiled program, read from its text (HLO)."""

import math
import re
from typing import NamedTuple


class Collective(NamedTuple):
    """All collectives of one kind in the program."""

    kind: str
    count: int
    payload: int  # bytes of the whole arrays: of an all-reduce, what is reduced
    sent: float  # bytes that each device must send


def collectives(text: str, *, num_devices: int) -> tuple[Collective, ...]:
    """Collectives of a compiled program, by kind; those inside loops are counted once.

    Of S bytes, each of g devices sends at least 2 (g-1)/g S to reduce them all, and (g-1)/g S to gather, scatter or
    exchange them.

    Args:
      text: `compiled.as_text()`.
      num_devices: the size of a group that names none.

    Source: Patarasuk & Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations", theorem 1.
    """
    found: dict[str, Collective] = {}
    computation = ""
    for line in text.splitlines():
        if line.endswith("{") and (header := re.match(r"\s*(?:ENTRY )?%?([\w.-]+)", line)):
            computation = header[1]
        if not (match := _COLLECTIVE.search(line)):
            continue
        kind, group = match["kind"], _group_size(line, num_devices)
        size = sum(_size(dtype, dims) for dtype, dims in _ARRAY.findall(match["shape"]))
        if match["start"] and kind == "all-gather":  # pairs of what goes in, 1/group of what comes out, and that
            size = size * group // (group + 1)
        elif match["start"] and kind == "collective-permute":
            size //= 2
        elif kind == "reduce-scatter":
            size *= group
        elif kind == "all-reduce" and computation.startswith("all-reduce-scatter"):  # as the TPU writes it
            kind = "reduce-scatter"
        share = (group - 1) / group  # what a device does not have, or does not keep
        sent = size * {"all-reduce": 2 * share, "collective-permute": 1}.get(kind, share)
        old = found.get(kind, Collective(kind, 0, 0, 0.0))
        found[kind] = Collective(kind, old.count + 1, old.payload + size, old.sent + sent)
    return tuple(found[kind] for kind in sorted(found))


_COLLECTIVE = re.compile(
    r" = (?P<shape>.*?) "
    r"(?P<kind>all-reduce|all-gather|reduce-scatter|(?:ragged-)?all-to-all|collective-permute)"
    r"(?P<start>-start)?\("
)
_ARRAY = re.compile(r"\b([a-z]+\d*\w*)\[([\d,]+|)\]")


def _size(dtype: str, dims: str) -> int:
    """Bytes of `f32[8,128]`; the scalars that only steer an asynchronous collective, `u32[]`, are none."""
    if (dtype, dims) == ("u32", ""):
        return 0
    bits = re.search(r"\d+", dtype)
    return math.prod(int(n) for n in dims.split(",") if n) * (int(bits[0]) if bits else 8) // 8


def _group_size(line: str, num_devices: int) -> int:
    """Devices that take part in one group of a collective, in any of the three ways that HLO writes groups."""
    if match := re.search(r"replica_groups=\{\{([\d,]+)\}", line):
        return match[1].count(",") + 1
    if match := re.search(r"replica_groups=\[\d+,(\d+)\]<=", line):
        return int(match[1])
    if match := re.search(r"replica_groups=mesh\[(.*?)\] ?\{(.*?)\}", line):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", match[1]))
        return math.prod(int(sizes[axis]) for axis in re.findall(r"'(\w+)'", match[2]))
    return num_devices
