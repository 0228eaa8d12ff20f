"""The README's picture, of figures that default runs have drawn, in at most 150 kB.

    python -m experiments.diffusion
    python -m experiments.energy.density
    python -m experiments.linear.gp_moons
    python .github/picture.py [FOLDER_OF_RUNS]

The figures' places in that folder are those that the commands choose by themselves.
"""

import sys
from pathlib import Path

from PIL import Image

WIDTH, GAP, MOST = 1400, 16, 150_000  # pixels, pixels, bytes
LEFT = "diffusion/image/figures/path.png"
RIGHT = ("energy/density/figures/density.png", "linear/gp_moons/figures/moons.png")  # one under the other


def main(runs: Path) -> None:
    """Writes `picture.png` beside this file."""
    for name in (LEFT, *RIGHT):
        if not (runs / name).exists():
            sys.exit(f"error: {runs / name} is not there; default runs draw it, as {Path(__file__).name} says")
    left, *right = (Image.open(runs / name).convert("RGB") for name in (LEFT, *RIGHT))
    # As high on the left as on the right: w_left / ratio = w_right sum(1 / ratios) + gap.
    ratio, steep = left.width / left.height, sum(picture.height / picture.width for picture in right)
    width = round((WIDTH - GAP - GAP * ratio) / (1 + ratio * steep))  # of the right
    first = WIDTH - GAP - width
    whole, y = Image.new("RGB", (WIDTH, round(first / ratio)), "white"), 0
    whole.paste(_scaled(left, first), (0, 0))
    for picture in (_scaled(picture, width) for picture in right):
        whole.paste(picture, (first + GAP, y))
        y += picture.height + GAP
    path = Path(__file__).with_name("picture.png")
    for colours in (256, 128, 64, 32):
        whole.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST:
            break
    print(f"{path}: {path.stat().st_size:,} bytes")


def _scaled(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
