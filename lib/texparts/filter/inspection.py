"""Rules that look into one mesh file; run in a process of its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float32
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from alignparts.core.config.texparts import FilterParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.duplicates import describe_triangles
from alignparts.corpus.mesh.meshio import MeshError, load_mesh
from alignparts.corpus.mesh.surface import Surface
from texparts.filter.claims import check_claims, check_size
from texparts.filter.rejected import Rejected, require
from texparts.filter.thumbnails import thumbnail

_ONE_COLOR = 1 / 64
"""Colors that differ by less in every channel are one."""


@dataclass(frozen=True)
class Asked:
    """A file to inspect."""

    path: Path
    limits: FilterParams
    thumbnail: int


@dataclass(frozen=True)
class Inspection:
    """Findings on a file.

    Attributes:
        reason: reason for which it is left out, "" keeps it.
        detail: the finding in plain English.
        faces: number of faces.
        descriptor: its geometry, see :mod:`alignparts.corpus.duplicates`.
        picture: content of a PNG file.
    """

    reason: str = ""
    detail: str = ""
    faces: int = 0
    descriptor: Float32[np.ndarray, " 31"] | None = None
    picture: bytes = b""


def inspect(asked: Asked) -> Inspection:
    """Apply every rule that needs nothing but the file."""
    try:
        check_size(asked.path, asked.limits)
        try:
            data = asked.path.read_bytes()
        except OSError as error:
            raise Rejected("unreadable", f"{error.strerror}") from None
        check_claims(asked.path, data, asked.limits)
        del data
        surface = _read(asked.path)
        _check_surface(surface, asked.limits)
    except Rejected as rejected:
        return Inspection(rejected.reason, rejected.detail)
    descriptor = describe_triangles(surface.vertices[surface.faces])
    return Inspection("", "", len(surface.faces), descriptor, thumbnail(surface, asked.thumbnail))


def components(surface: Surface) -> int:
    """Count the pieces that share no vertex position."""
    # By hash: sorting the rows of a million vertices takes ten times as long.
    place = pd.DataFrame(surface.vertices).groupby([0, 1, 2], sort=False).ngroup().to_numpy()
    corners = place[surface.faces]
    count = int(place.max(initial=-1)) + 1
    rows, columns = corners[:, [0, 1]].reshape(-1), corners[:, [1, 2]].reshape(-1)
    links = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    _, label = connected_components(links, directed=False)
    return len(np.unique(label[corners[:, 0]]))


def thickness(surface: Surface) -> float:
    """Return the shortest side as a share of the longest, along the principal axes of the surface."""
    used = np.zeros(len(surface.vertices), bool)
    used[surface.faces[surface.areas() > 0]] = True
    points = surface.vertices[used]
    points = points - points.mean(axis=0)
    # Scaled first: squares of absurd sizes leave the range of a float.
    points = points / max(float(np.abs(points).max()), 1e-300)
    _, axes = np.linalg.eigh(points.T @ points)
    sides = np.ptp(points @ axes, axis=0)
    return float(sides.min() / sides.max())


def has_colors(surface: Surface) -> bool:
    """Return whether a surface has a texture or two colors."""
    used = np.unique(surface.face_material)
    if any(surface.textures[index] is not None for index in used.tolist()):
        return True
    color = surface.corner_color.reshape(-1, 4)[:, :3]
    return bool((np.ptp(color, axis=0) > _ONE_COLOR).any())


def _read(path: Path) -> Surface:
    try:
        return load_mesh(path).surface
    except AlignPartsError as error:
        problem = error.problem if isinstance(error, MeshError) else "unreadable"
        raise Rejected(problem, str(error).removeprefix(f"{path}: ")) from None


def _check_surface(surface: Surface, limits: FilterParams) -> None:
    count, (fewest, most) = len(surface.faces), limits.faces
    require(count >= fewest, "too_few_faces", f"{count:,} faces; expected at least {fewest:,}")
    require(count <= most, "too_many_faces", f"{count:,} faces; expected at most {most:,}")
    center, scale = surface.frame()
    side, (shortest, longest) = 2 / scale, limits.longest_side
    detail = f"its longest side is {side:.3g}; expected {shortest:g} to {longest:g}"
    require(shortest <= side <= longest, "scale", detail)
    away = float(np.linalg.norm(center)) / side
    detail = f"it is {away:,.0f} times its size from the origin; expected at most {limits.far:,.0f}"
    require(away <= limits.far, "scale", detail)
    thin = thickness(surface)
    detail = f"its shortest side is {thin:.2g} of its longest; expected at least {limits.thickness:g}"
    require(thin >= limits.thickness, "flat", detail)
    pieces = components(surface)
    detail = f"{pieces:,} separate pieces; expected at most {limits.components:,}"
    require(pieces <= limits.components, "too_many_components", detail)
    colored = not limits.textured or has_colors(surface)
    require(colored, "no_texture", "one color all over; expected a texture or two colors")
