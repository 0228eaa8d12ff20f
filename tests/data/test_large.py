"""Data of one's own that are larger than memory: they stay on disk, and go on where they stopped."""

import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from adl import data

READER = """
import sys
import numpy as np
from adl import data

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024

train = data.load(sys.argv[1], "train").require("image", "label")
assert isinstance(train, data.StoredSplit) and train.num_classes == 7
batches = data.shuffled(train, 64)
batches[0], batches[1]
before, sums = resident(), []
for step in range(int(sys.argv[2]), 400):
    batch = batches[step]
    sums.append(int(batch["image"].astype(np.int64).sum()) + int(batch["label"].sum()))
    rest = resident() - before
print(rest, *sums[-20:])
"""


@pytest.mark.full
def test_two_gigabytes_take_no_memory_and_go_on_where_they_stopped(tmp_path):
    path, count = tmp_path / "large.npz", 180_000
    rng = np.random.default_rng(0)
    block = rng.integers(0, 256, (1000, 64, 64, 3), np.uint8)
    large = np.lib.format.open_memmap(tmp_path / "image.npy", "w+", np.uint8, (count, 64, 64, 3))
    for start in range(0, count, 1000):
        large[start : start + 1000] = np.roll(block, start // 1000, 1)
    np.savez(path, image=large, label=np.arange(count) % 7)
    (tmp_path / "image.npy").unlink()
    assert path.stat().st_size > 2**31
    runs = []
    for first in ("2", "380"):
        words = [sys.executable, "-W", "ignore", "-c", READER, str(path), first]
        grown, *sums = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        assert float(grown) < 200, f"{grown} MB"
        runs.append(sums)
    assert runs[0] == runs[1] and len({*runs[0]}) == 20


@pytest.mark.full
def test_a_hundred_thousand_files_are_listed_in_seconds(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "one.png")
    content = (tmp_path / "one.png").read_bytes()
    (tmp_path / "one.png").unlink()
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(50_000):
            (tmp_path / name / f"{i}.png").write_bytes(content)
    started = time.perf_counter()
    (train,) = data.splits(str(tmp_path), "image", "label", of=("train",))
    took = time.perf_counter() - started
    assert 78_000 < len(train) < 82_000 and took < 120, took
