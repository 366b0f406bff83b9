"""What every method of Tables 2 to 4 looks like: stored features in, segments and their names out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64


@dataclass(frozen=True)
class Given:
    """What a method is told besides the shape; None: it has to find out itself, or do without.

    Attributes:
        category: canonical name of the category.
        names: the names that parts may get; all of them canonical, or all of them a user's own.
        parts: the true number of parts.
    """

    category: str | None = None
    names: tuple[str, ...] | None = None
    parts: int | None = None


@dataclass(frozen=True)
class Segments:
    """What a method makes of one shape.

    Attributes:
        point_part: segment of every point, -1 unlabeled.
        names: of the segments; None where the method does not name parts.
        category: what the shape was taken for; "" where the method does not ask.
        features: one vector a segment, of which its name was found; None where names come from points.
    """

    point_part: Int64[np.ndarray, " n"]
    names: list[str] | None = None
    category: str = ""
    features: Float[np.ndarray, "parts d"] | None = None


@runtime_checkable
class Method(Protocol):
    """A method under comparison.

    Attributes:
        label: what tables call it.
    """

    label: str

    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Segments:
        """Segments of one shape.

        Args:
            arrays: of the feature store, at the points to label: ``points`` (n, 3), ``normals`` (n, 3),
                ``colors`` (n, 3) in 0..1, ``geometry`` (n, d_g), ``appearance`` (n, d_a).
            given: what the method may know.

        Raises:
            AlignPartsError: an array is missing, or the method needs more than it was given.
        """
        ...
