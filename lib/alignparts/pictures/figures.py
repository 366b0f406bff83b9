"""Pictures of shapes and of their parts, all from one camera, by the ray caster of the corpus."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Float64, Int, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.render import FIELD_OF_VIEW, Lighting, Views, draw_views
from alignparts.corpus.mesh.surface import Surface, make_surface
from alignparts.pictures.palette import UNLABELED_COLOR, colors_of, palette

EYE = (2.17, 1.48, 2.96)
"""Position of the camera in the model frame; it looks at the origin, y is up, the front faces +z."""
POINT_RADIUS = 0.016
LIGHTING = Lighting(ambient=0.45, head=0.35, key=0.2, fill=0.1)
_BALL = trimesh.creation.icosphere(subdivisions=0).triangles


def camera() -> Float64[np.ndarray, "1 3 4"]:
    """Return the camera of all pictures: model frame to camera frame (x right, y down, z forward)."""
    forward = -np.array(EYE) / np.linalg.norm(EYE)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return np.concatenate([rotation, -(rotation @ np.array(EYE))[:, None]], axis=1)[None]


def project(point: Sequence[float], size: int) -> tuple[float, float, float]:
    """Return column and row of a place in a picture of this size, and how many pixels a unit spans there."""
    matrix = camera()[0]
    x, y, depth = (matrix[:, :3] @ np.array(point) + matrix[:, 3]).tolist()
    pixels = size / 2 / float(np.tan(np.radians(FIELD_OF_VIEW / 2))) / depth
    return size / 2 - 0.5 + x * pixels, size / 2 - 0.5 + y * pixels, pixels


def solid(
    body: Float[np.ndarray, "n *corner 3"],
    color: Float[np.ndarray, "n 3"] | None = None,
    zoom: float = 1.0,
) -> Surface:
    """Return a surface of triangles (n, 3, 3), or of a ball per point (n, 3), in the order of the body.

    Args:
        body: Points or corners of triangles in the model frame.
        color: One RGB color per point or triangle; gray when None.
        zoom: Factor by which balls are larger than :data:`POINT_RADIUS`.

    Raises:
        AlignPartsError: The body is empty.
    """
    if not len(body):
        raise AlignPartsError("a picture of a shape without points or triangles")
    if body.ndim == 2:
        corners = (body[:, None, None] + POINT_RADIUS * zoom * _BALL).reshape(-1, 3)
    else:
        corners = body.reshape(-1, 3)
    surface = make_surface(corners, np.arange(len(corners)).reshape(-1, 3))
    return (
        surface if color is None else painted(surface, color.repeat(len(surface.faces) // len(body), axis=0))
    )


def painted(surface: Surface, face_color: Float[np.ndarray, "faces 3"]) -> Surface:
    """Return a surface with one opaque color per face in place of its own colors and textures."""
    rgba = np.ones((len(surface.faces), 3, 4), np.float32)
    rgba[..., :3] = face_color[:, None]
    material = np.zeros(len(surface.faces), np.int32)
    return replace(surface, corner_color=rgba, face_material=material, textures=(None,))


def view(surface: Surface, size: int) -> Views:
    """Render a surface that lies in the model frame: colors, and the face that every pixel shows.

    Args:
        surface: The shape.
        size: Side of the square picture in pixels.
    """
    return draw_views(surface, surface.vertices, camera(), size, LIGHTING)


def draw(surface: Surface, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """Draw a surface that lies in the model frame, with four rays per pixel; see :func:`view`."""
    pixels = Image.fromarray(view(surface, 2 * size).color[0])
    return np.asarray(pixels.resize((size, size), Image.Resampling.BOX))


def draw_surface(
    surface: Surface, face_color: Float[np.ndarray, "faces 3"] | None = None, size: int = 360
) -> UInt8[np.ndarray, "size size 3"]:
    """Draw any surface, brought into the model frame; in ``face_color`` or in its own colors and textures.

    Raises:
        AlignPartsError: No triangle has an area.
    """
    center, scale = surface.frame()
    framed = replace(surface, vertices=(surface.vertices - center) * scale)
    return draw(framed if face_color is None else painted(framed, face_color), size)


def picture_of_parts(
    surface: Surface,
    face_part: Int[np.ndarray, " faces"],
    names: Sequence[str],
    labels: Sequence[str],
    target: Path,
) -> None:
    """Write a PNG with the input beside its colored parts, and a legend.

    Args:
        surface: The input.
        face_part: Part of every face, -1 unlabeled.
        names: Name of every part, which gives it its color.
        labels: What the legend says of every part.
        target: PNG to write.

    Raises:
        AlignPartsError: No triangle has an area.
    """
    colors = palette(names)
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    pictures = {"input": None, "parts": colors_of(face_part, names, colors)}
    for axis, (title, face_color) in zip(figure.subplots(1, 2), pictures.items(), strict=True):
        axis.imshow(draw_surface(surface, face_color))
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    entries = [(colors[name], label) for name, label in zip(names, labels, strict=True)]
    if (face_part < 0).any():
        entries.append((UNLABELED_COLOR, "unlabeled"))
    handles = [Patch(color=color, label=label) for color, label in entries]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False)
    figure.savefig(target, dpi=100, format="png", metadata={"Software": None})


def first_of_each(corpus: Corpus, count: int) -> list[tuple[str, Surface]]:
    """Return the first shapes of every category of a corpus, each with the name of its category."""
    table = corpus.index.sort_values(["category", "shape_id"], kind="stable")
    chosen = table.groupby("category", sort=True).head(count)
    return [(str(row.category), corpus.load(str(row.shape_id)).surface) for row in chosen.itertuples()]


def contact_sheet(shapes: Sequence[tuple[str, Surface]], size: int = 150, columns: int = 12) -> Figure:
    """Draw many shapes in their own colors on one sheet, each with its title.

    Args:
        shapes: Titles and surfaces.
        size: Side of a picture in pixels.
        columns: Number of pictures per row.

    Raises:
        AlignPartsError: There are no shapes, or one has no triangle with an area.
    """
    if not shapes:
        raise AlignPartsError("a contact sheet without shapes")
    columns = min(columns, len(shapes))
    rows = -(-len(shapes) // columns)
    figure = Figure(figsize=(columns * size / 100, rows * (size + 24) / 100), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axis in axes:
        axis.set_axis_off()
    for axis, (title, surface) in zip(axes, shapes, strict=False):
        axis.imshow(draw_surface(surface, size=2 * size))
        axis.set_title(title, fontsize=7, y=-0.12)
    return figure
