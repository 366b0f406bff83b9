"""Positions of siblings in words, such as "front left"."""

from collections import Counter
from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int64

APART = 0.2
"""Share of the longest distance between siblings along any axis from which on they differ along another."""
LEAST_APART = 0.02
"""Smallest such distance in the model frame, whose longest half side is 1."""
END = 0.3
"""Share of the way between the two ends that counts as one of them; what lies between is the middle."""
AXES = (1, 2, 0)
"""Axes in the order in which their words are said and siblings are numbered."""
WORDS = (("left", "middle", "right"), ("top", "middle", "bottom"), ("front", "middle", "back"))
"""Words along -x, -y and -z: left is +x, up +y and the front +z, as in glTF: left is the object's own, as
of a car, and lies at the right of who looks at its front."""


def places(centers: Float64[np.ndarray, "n 3"]) -> tuple[Int64[np.ndarray, " n"], list[str]]:
    """Return the order of siblings by position, and the words that tell each from all others, "" without any.

    Words come from the fewest axes that single out the most siblings, of those along which they differ; the
    middle of one axis goes without saying beside a word of another. Centers are in the model frame.
    """
    along = -centers.round(6)  # so that the order of sums decides nothing
    spread = np.ptp(along, axis=0).round(3)
    way = (along - along.min(axis=0)) / np.maximum(np.ptp(along, axis=0), 1e-12)
    differ = spread > max(LEAST_APART, APART * float(spread.max()))
    zone = np.where(differ, 1 + (way > 1 - END) - (way < END).astype(np.int64), 1)
    best, words = (0, 0, 0.0), [""] * len(centers)
    used = [axis for axis in AXES if differ[axis]]
    for size in range(1, len(used) + 1):
        for axes in combinations(used, size):
            said = [
                " ".join(WORDS[a][row[a]] for a in axes if row[a] != 1) or "middle" for row in zone.tolist()
            ]
            count = Counter(said)
            alone = [count[word] == 1 for word in said]
            score = (sum(alone), -size, float(spread[list(axes)].sum()))
            if sum(alone) and score > best:
                best, words = score, [word if own else "" for word, own in zip(said, alone, strict=True)]
    finer = [along[:, axis] for axis in spread.argsort(kind="stable")]
    return np.lexsort([*finer, *(zone[:, axis] for axis in AXES[::-1])]), words
