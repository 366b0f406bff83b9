"""Poses that a learned backbone sees a shape in: four, the same whichever way it was turned or wound."""

import numpy as np
from jaxtyping import Float32
from scipy.spatial.transform import Rotation

QUARTERS = 4
"""Number of the poses of a shape."""


def posed(
    points: Float32[np.ndarray, "n 3"], normals: Float32[np.ndarray, "n 3"], quarter: int
) -> tuple[Float32[np.ndarray, "n 3"], Float32[np.ndarray, "n 3"]]:
    """Return points and normals in one of the four poses.

    Normals that point inward on the whole are reversed. The shape is turned about the up axis y, so that most
    normals lie along x and z, and by another ``quarter`` quarters.
    """
    if (normals * (points - points.mean(axis=0))).sum() < 0:
        normals = -normals
    # Directions a quarter apart have the same fourth power.
    phase = ((normals[:, 0] + 1j * normals[:, 2]) ** 4).sum()
    turn = Rotation.from_euler("y", np.angle(phase) / 4 + quarter * np.pi / 2).as_matrix().astype(np.float32)
    return points @ turn.T, normals @ turn.T
