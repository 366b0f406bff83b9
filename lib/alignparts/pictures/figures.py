"""Pictures of shapes and of their parts, all from one camera, drawn off screen by polyscope."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import trimesh
from jaxtyping import Float, Float64, Int, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.render import FIELD_OF_VIEW
from alignparts.corpus.mesh.surface import Surface, make_surface
from alignparts.pictures.fonts import families
from alignparts.pictures.palette import UNLABELED_COLOR, colors_of, palette

if TYPE_CHECKING:
    from alignparts.corpus.index import Corpus

EYE = (2.17, 1.48, 2.96)
"""Position of the camera in the model frame; it looks at the origin, y is up, the front faces +z."""
POINT_RADIUS = 0.016
LEGEND_ROWS, MOST_COLUMNS = 21, 4
"""Rows of a legend beside a picture of parts, and its columns beyond which it is longer than that."""
MOST_TILES = 64
"""Repeats of a texture within one face beyond which the faces are drawn in their mean colors."""
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
    body: Float[np.ndarray, "n *corner 3"], color: Float[np.ndarray, "n 3"] | None = None, zoom: float = 1.0
) -> Surface:
    """Return a surface of triangles (n, 3, 3), or of a ball per point (n, 3), in the order of the body.

    It takes one RGB color per triangle or point, or gray; balls are ``zoom`` times :data:`POINT_RADIUS`.
    """
    balls = body[:, None, None] + POINT_RADIUS * zoom * _BALL if body.ndim == 2 else body
    corners = balls.reshape(-1, 3)
    surface = make_surface(corners, np.arange(len(corners)).reshape(-1, 3))
    if color is None:
        return surface
    return painted(surface, color.repeat(len(surface.faces) // len(body), axis=0))


def painted(surface: Surface, face_color: Float[np.ndarray, "faces 3"]) -> Surface:
    """Return a surface with one opaque color per face in place of its own colors and textures."""
    rgba = np.ones((len(surface.faces), 3, 4), np.float32)
    rgba[..., :3] = face_color[:, None]
    material = np.zeros(len(surface.faces), np.int32)
    return replace(surface, corner_color=rgba, face_material=material, textures=(None,))


def draw(surface: Surface, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """Draw a surface that lies in the model frame, in its own colors and textures.

    Raises:
        AlignPartsError: this machine cannot draw off screen.
    """
    ps = offscreen()
    ps.remove_all_structures()
    corners = surface.vertices[surface.faces].astype(np.float32)
    for material in np.unique(surface.face_material).tolist():
        faces = np.flatnonzero(surface.face_material == material)
        triangles = np.arange(3 * len(faces)).reshape(-1, 3)
        mesh = ps.register_surface_mesh(f"material {material}", corners[faces].reshape(-1, 3), triangles)
        # Winding is mixed in real meshes: both sides are drawn alike.
        mesh.set_back_face_policy("identical")
        mesh.set_smooth_shade(False)
        _paint(mesh, surface, faces, surface.textures[material])
    if tuple(ps.get_window_size()) != (size, size):
        # The first picture of a new size is drawn with the old one's buffers.
        ps.set_window_size(size, size)
        ps.screenshot_to_buffer(transparent_bg=False)
    ps.set_view_camera_parameters(
        ps.CameraParameters(
            ps.CameraIntrinsics(fov_vertical_deg=FIELD_OF_VIEW, aspect=1.0),
            ps.CameraExtrinsics(root=EYE, look_dir=tuple(-x for x in EYE), up_dir=(0.0, 1.0, 0.0)),
        )
    )
    picture = np.asarray(ps.screenshot_to_buffer(transparent_bg=False))[..., :3]
    ps.remove_all_structures()
    return np.ascontiguousarray(picture)


def _paint(mesh: Any, surface: Surface, faces: Int[np.ndarray, " n"], image: np.ndarray | None) -> None:
    """Give polyscope's mesh of some faces, which share a material, their colors or their texture."""
    tint = surface.corner_color[faces].reshape(-1, 4)[:, :3]
    if image is None:
        mesh.add_color_quantity("color", tint, defined_on="vertices", enabled=True)
        return
    # polyscope clamps where glTF repeats: every face is moved to the origin, and the image repeated.
    uv = surface.uv[faces].reshape(-1, 2)
    uv = uv - np.floor(surface.uv[faces].min(axis=1)).repeat(3, axis=0)
    tiles = np.maximum(np.ceil(uv.max(axis=0) - 1e-4), 1).astype(int)
    if tiles.max() > MOST_TILES:
        color = surface.color_at(faces, np.full((len(faces), 3), 1 / 3))[:, :3]
        mesh.add_color_quantity("color", color, defined_on="faces", enabled=True)
        return
    picture = Image.fromarray(image[..., :3])
    picture.thumbnail((2048 // int(tiles.max()),) * 2)
    pixels = np.tile(np.asarray(picture, np.float32) / 255, (tiles[1], tiles[0], 1)) * tint.mean(axis=0)
    mesh.add_parameterization_quantity("uv", uv / tiles.astype(np.float32), defined_on="vertices")
    mesh.add_color_quantity("texture", pixels, defined_on="texture", param_name="uv", enabled=True)


@cache
def offscreen() -> Any:
    """Return polyscope, ready to draw without a window.

    Raises:
        AlignPartsError: this machine cannot draw off screen.
    """
    try:
        import polyscope as ps

        ps.set_allow_headless_backends(True)
        ps.set_use_prefs_file(False)
        ps.set_errors_throw_exceptions(True)
        ps.set_verbosity(0)
        ps.init()
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise AlignPartsError(
            f"pictures need an off-screen OpenGL ({str(error).strip() or type(error).__name__}); "
            "install Mesa's EGL (Debian: apt-get install libegl1 libgl1 libgl1-mesa-dri), or say --no-picture"
        ) from None
    ps.set_ground_plane_mode("none")
    ps.set_up_dir("y_up")
    ps.set_background_color((1.0, 1.0, 1.0))
    ps.set_view_projection_mode("perspective")
    ps.set_automatically_compute_scene_extents(False)
    ps.set_length_scale(2.0)
    ps.set_bounding_box((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    ps.set_SSAA_factor(2)
    # Anti-aliasing starts with the second size.
    ps.set_window_size(32, 32)
    ps.screenshot_to_buffer(transparent_bg=False)
    return ps


def draw_surface(
    surface: Surface, face_color: Float[np.ndarray, "faces 3"] | None = None, size: int = 360
) -> UInt8[np.ndarray, "size size 3"]:
    """Draw any surface, brought into the model frame; in ``face_color`` or in its own colors and textures.

    Raises:
        AlignPartsError: no triangle has an area.
    """
    center, scale = surface.frame()
    framed = replace(surface, vertices=(surface.vertices - center) * scale)
    return draw(framed if face_color is None else painted(framed, face_color), size)


def picture_of_parts(
    surface: Surface, part: Int[np.ndarray, " n"], names: Sequence[str], labels: Sequence[str], path: Path
) -> None:
    """Write a PNG with the input beside its colored parts, and a legend with a label per part.

    The name of a part gives it its color. ``part`` is the part of every face, -1 unlabeled. Warns of letters
    that no font has.

    Raises:
        AlignPartsError: no triangle has an area.
    """
    colors = palette(names)
    columns = min(MOST_COLUMNS, len(labels) // LEGEND_ROWS + 1)
    lines = (len(labels) + columns) // columns
    size = (9.5 + 2.2 * (columns - 1), 3.8 * max(1.0, lines / LEGEND_ROWS))
    figure = Figure(figsize=size, layout="constrained")
    pictures = {"input": None, "parts": colors_of(part, names, colors)}
    for axis, (title, face_color) in zip(figure.subplots(1, 2), pictures.items(), strict=True):
        axis.imshow(draw_surface(surface, face_color))
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    handles = [Patch(color=colors[name], label=label) for name, label in zip(names, labels, strict=True)]
    if (part < 0).any():
        handles.append(Patch(color=UNLABELED_COLOR, label="unlabeled"))
    font = {"size": 8, "family": families(labels)}
    legend = figure.legend(
        handles=handles, loc="outside right upper", prop=font, frameon=False, ncols=columns
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.savefig(path, dpi=100, format="png", metadata={"Software": None})


def first_of_each(corpus: "Corpus", count: int) -> list[tuple[str, Surface]]:
    """Return the first shapes of every category of a corpus, each with the name of its category."""
    table = corpus.index.sort_values(["category", "shape_id"], kind="stable").groupby("category").head(count)
    return [(str(row.category), corpus.load(str(row.shape_id)).surface) for row in table.itertuples()]


def contact_sheet(shapes: Sequence[tuple[str, Surface]], size: int = 150, columns: int = 12) -> Figure:
    """Draw many shapes in their own colors on one sheet, each with its title; size in hundredths of an inch.

    Raises:
        AlignPartsError: a shape has no triangle with an area.
    """
    columns = min(columns, len(shapes))
    rows = -(-len(shapes) // columns)
    figure = Figure(figsize=(columns * size / 100, rows * (size + 24) / 100), layout="constrained")
    for number, axis in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axis.set_axis_off()
        if number < len(shapes):
            title, surface = shapes[number]
            axis.imshow(draw_surface(surface, size=2 * size))
            axis.set_title(title, fontsize=7, y=-0.12)
    return figure


def named_sheet(
    meshes: Sequence[tuple[str, Surface, Int[np.ndarray, " faces"], Sequence[str]]],
    size: int = 200,
    columns: int = 5,
) -> Figure:
    """Draw named meshes on one sheet: title, surface, part of every face (-1 unlabeled), names of the parts.

    The names stand below in the colors of their parts; size in hundredths of an inch. Raises as
    :func:`contact_sheet`.
    """
    rows = -(-len(meshes) // columns)
    figure = Figure(figsize=(columns * size / 100, rows * (size + 70) / 100), layout="constrained")
    tiles = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in tiles:
        axis.set_axis_off()
    for axis, (title, surface, part, names) in zip(tiles, meshes, strict=False):
        colors = palette(names)
        axis.imshow(draw_surface(surface, colors_of(part, names, colors), 2 * size))
        axis.set_title(title, fontsize=8)
        handles = [Patch(color=colors[name], label=name) for name in dict.fromkeys(names)]
        axis.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2, fontsize=6,
            frameon=False, handlelength=0.8, handletextpad=0.4, columnspacing=0.8,
        )  # fmt: skip
    return figure


if __name__ == "__main__":
    # Checks that this machine can draw, before a pipeline finds out after half an hour.
    try:
        draw(solid(np.zeros((1, 3))), size=16)
    except AlignPartsError as error:
        raise SystemExit(f"error: {error}") from None
