"""Colors of part names in pictures."""

import colorsys
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Int

Color = tuple[float, float, float]
UNLABELED_COLOR: Color = (0.78, 0.78, 0.78)
ATTEMPTS, APART = 32, 0.3
"""Colors that a name may take in a picture, and the least distance in RGB between two names."""


def color_of(name: str, attempt: int = 0) -> Color:
    """Return the color of a part name: the same in every picture, from the name alone."""
    digest = hashlib.sha256((name + "\n" * attempt).encode()).digest()
    hue = int.from_bytes(digest[:4], "big") / 2**32
    return colorsys.hsv_to_rgb(hue, (0.55, 0.75, 0.95)[digest[4] % 3], (0.95, 0.72)[digest[5] % 2])


def palette(names: Iterable[str]) -> dict[str, Color]:
    """Return a color for every name of one picture; a name too like another in color takes its next one."""
    chosen: dict[str, Color] = {}
    for name in sorted(set(names)):
        candidates = [color_of(name, attempt) for attempt in range(ATTEMPTS)]
        nearest = [min((math.dist(one, used) for used in chosen.values()), default=2.0) for one in candidates]
        apart = [one for one, distance in zip(candidates, nearest, strict=True) if distance > APART]
        chosen[name] = apart[0] if apart else candidates[int(np.argmax(nearest))]
    return chosen


def colors_of(
    part: Int[np.ndarray, " n"], names: Sequence[str], colors: Mapping[str, Color]
) -> Float32[np.ndarray, "n 3"]:
    """Return the color of every point or face by its part; gray where it has none."""
    table = np.array([*(colors[name] for name in names), UNLABELED_COLOR], np.float32)
    return table[np.where(part < 0, len(names), part)]
