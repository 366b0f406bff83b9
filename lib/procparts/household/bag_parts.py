"""Build sacks, straps and handles of bags."""

import numpy as np

from procparts.kit.materials import Material
from procparts.kit.mesh import Mesh, Scalar
from procparts.kit.toolkit import curved_sheet, loft, outline, tube
from procparts.kit.vessels import made_of, spline


def cloth_or_leather(rng: np.random.Generator) -> Material:
    """Draw a material that bags are sewn from."""
    return made_of(rng, "leather", "leather", "leather", "fabric", "fabric", "plastic")


def sack(
    w: np.ndarray, d: np.ndarray, y: np.ndarray, corner: Scalar, caps: bool = True, lean: Scalar = 0.0
) -> Mesh:
    """Build a stuffed body through rounded rectangles of widths `w` and depths `d` at heights `y`."""
    rings = []
    for wide, deep, high in zip(w, d, y, strict=True):
        flat = outline(wide, deep, corner * min(wide, deep))
        rings.append(np.column_stack([flat[:, 0], np.full(len(flat), high), flat[:, 1] + lean * high]))
    return loft(np.array(rings), caps=caps)


def ribbon(path: np.ndarray, side: np.ndarray, width: Scalar, thick: Scalar = 0.0) -> Mesh:
    """Build a strap of `width` along a path (n, 3), spread along `side`; a sheet when `thick` is 0."""
    half = np.asarray(side, dtype=float) * width / 2
    sheet = curved_sheet(np.stack([path - half, path + half]))
    if thick <= 0:
        return sheet
    mesh = tube(path, thick / 2, segments=4)
    along = (
        mesh.vertices - path[np.linalg.norm(mesh.vertices[:, None] - path[None], axis=2).argmin(1)]
    ) @ half
    stretch = (width / thick - 1) * along / max(float(half @ half), 1e-12)
    return Mesh(mesh.vertices + stretch[:, None] * half, mesh.faces)


def arched(x: Scalar, y: Scalar, z: Scalar, rise: Scalar, lean: Scalar, spread: Scalar) -> np.ndarray:
    """Return a bow (17, 3) from (-x, y, z) to (x, y, z), tipped by `lean` radians, narrowed by `spread`."""
    kind = [
        (-x, 0),
        (-x * spread, rise * 0.7),
        (-x * spread * 0.5, rise),
        (x * spread * 0.5, rise),
        (x * spread, rise * 0.7),
        (x, 0),
    ]
    p = spline(kind, 17)
    return np.column_stack([p[:, 0], y + p[:, 1] * np.cos(lean), z + p[:, 1] * np.sin(lean)])
