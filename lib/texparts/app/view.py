"""Show one annotator's object in 3D, by viser on a socket that only the proxy talks to."""

import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from viser import GlbHandle, MeshHandle, SceneClickEvent, SceneNodeDragEvent

from alignparts.core.errors import AlignPartsError
from alignparts.pictures.palette import UNLABELED_COLOR, Color
from texparts.annotation.annotation import UNLABELED, Annotation
from texparts.annotation.chunks import Patch, PatchMesh
from texparts.annotation.geometry import Shape
from texparts.app.drawing import Drawn, object_colors
from texparts.app.upstream import private_server

ToolName = Literal["orbit", "brush", "component", "cluster"]
Mode = Literal["parts", "texture"]
Faces = Int[np.ndarray, " n"]
Phase = Literal["start", "update", "end"]
DIM = 0.6
"""Share of white mixed into parts that are not selected."""
STROKE_COLOR = (255, 140, 0)
NO_SHADOW: dict[str, Any] = {"cast_shadow": False, "receive_shadow": False}
FIELD = np.radians(40)
"""Vertical field of view, in radians."""
TOWARD = np.array([0.47, 0.33, 0.82])
"""Direction from the object to the eye at first; the front faces +z."""


@dataclass(frozen=True)
class Tool:
    """The effect of a click or a drag on the object.

    Attributes:
        name: "orbit" selects the clicked part; the others paint.
        part: id of the part that faces are given to, -1 none.
        radius: radius of the brush, as a share of the object's longest side.
        clusters: number of clusters of the tool "cluster".
    """

    name: ToolName = "orbit"
    part: int = UNLABELED
    radius: Annotated[float, Field(gt=0, le=1)] = 0.05
    clusters: Annotated[int, Field(ge=1)] = 8


class _Stroke(NamedTuple):
    place: Float[np.ndarray, " 3"]
    faces: Faces
    tool: Tool


class ObjectView:
    """Shows an object, and reports painted faces and picked parts.

    Args:
        on_stroke: receives the faces of a finished stroke and the part that they are given to.
        on_pick: receives the part that was clicked, -1 where there is none.

    Attributes:
        socket: path of the Unix socket that the server listens on.
    """

    def __init__(self, on_stroke: Callable[[Faces, int], None], on_pick: Callable[[int], None]) -> None:
        self._on_stroke, self._on_pick = on_stroke, on_pick
        self._folder = tempfile.TemporaryDirectory(prefix="alignparts-")  # of mode 0700
        self.socket = str(Path(self._folder.name, "view"))
        self._server = private_server(self.socket)
        self._server.gui.configure_theme(control_layout="floating", show_logo=False, show_share_button=False)
        self._server.scene.set_up_direction("+y")
        # viser's own sun stands in the zenith and bleaches the colors of all that lies flat.
        self._server.scene.configure_default_lights(enabled=False)
        self._server.scene.add_light_directional("/light", intensity=1.4, position=(0.6, 1.0, 1.2))
        self._server.scene.on_click()(self._clicked)
        self._lock = threading.RLock()
        self._patches: dict[Patch, MeshHandle] = {}
        self._texture: GlbHandle | None = None
        self._stroke: MeshHandle | None = None
        self._scene: Drawn | None = None
        self._annotation: Annotation | None = None
        self._colors: dict[int, Color] = {}
        self._tool, self._mode = Tool(), "parts"
        self._selected: frozenset[int] = frozenset()
        self._isolated: int | None = None
        self._under_way: _Stroke | None = None

    def close(self) -> None:
        """Stop the server."""
        self._server.stop()
        self._folder.cleanup()

    def show(self, shape: Shape, annotation: Annotation) -> None:
        """Show an object in place of the one before; raises AlignPartsError if the labels do not fit it."""
        if len(annotation.face_part) != len(shape.faces):
            raise AlignPartsError(
                f"{shape.folder.path}: {len(annotation.face_part)} labels for {len(shape.faces)} faces"
            )
        scene = Drawn(shape)
        with self._lock, self._server.atomic():
            self._clear()
            self._aim(scene.radius)
            self._scene = scene
            self._hold(annotation)
            self._selected, self._isolated, self._mode = frozenset(), None, "parts"
            for patch, mesh in scene.chunks.patches(annotation.face_part):
                self._draw(patch, mesh)
        threading.Thread(target=scene.picker.prepare, daemon=True).start()

    def update(self, annotation: Annotation) -> int:
        """Show a later state of the object; returns the number of chunks that were sent again."""
        with self._lock, self._server.atomic():
            scene, before = self._scene, self._annotation
            if scene is None or before is None or len(annotation.face_part) != len(before.face_part):
                return 0
            touched = scene.chunks.touched(before.face_part, annotation.face_part)
            self._hold(annotation)
            stale = {patch for patch in self._patches if patch[0] in touched}
            for patch, mesh in scene.chunks.patches(annotation.face_part, touched):
                stale.discard(patch)
                self._draw(patch, mesh)
            for patch in stale:
                self._patches.pop(patch).remove()
            self._paint()
            return len(touched)

    def select(self, parts: Sequence[int]) -> None:
        """Let parts stand out; without any, all look alike."""
        with self._lock, self._server.atomic():
            self._selected = frozenset(parts)
            self._paint()

    def isolate(self, part: int | None) -> None:
        """Hide all other parts; None shows all again."""
        with self._lock, self._server.atomic():
            self._isolated = part
            self._paint()

    def mode(self, mode: Mode) -> None:
        """Show colored parts, or the object as it came."""
        with self._lock, self._server.atomic():
            self._mode = mode
            if self._scene is not None and mode == "texture" and self._texture is None:
                scale, place = self._scene.scale, tuple((-self._scene.center * self._scene.scale).tolist())
                self._texture = self._server.scene.add_glb(
                    "/object/texture", self._scene.glb(), scale=scale, position=place, **NO_SHADOW
                )
            self._paint()

    def tool(self, tool: Tool) -> None:
        """Change the effect of clicks and drags."""
        with self._lock, self._server.atomic():
            if tool.name != self._tool.name:
                for handle in self._patches.values():
                    self._bind(handle, tool)
            self._tool = tool

    def _aim(self, radius: float) -> None:
        """Place every camera to see a whole sphere around 0, a little above the page's tools."""
        aim = np.array([0.0, -0.08 * radius, 0.0])
        place = aim + TOWARD / np.linalg.norm(TOWARD) * 1.1 * max(radius, 1e-3) / np.sin(FIELD / 2)
        cameras: list[Any] = [client.camera for client in self._server.get_clients().values()]
        for camera in [self._server.initial_camera, *cameras]:
            camera.fov = float(FIELD)
            camera.position = tuple(place.tolist())
            camera.look_at = tuple(aim.tolist())

    def _clear(self) -> None:
        for handle in [*self._patches.values(), self._texture, self._stroke]:
            if handle is not None:
                handle.remove()
        self._patches, self._texture, self._stroke, self._under_way = {}, None, None, None

    def _draw(self, patch: Patch, mesh: PatchMesh) -> None:
        old = self._patches.get(patch)
        if old and len(old.faces) == len(mesh.faces) and np.array_equal(old.vertices, mesh.vertices):
            return
        color, visible = self._look(patch[1])
        self._patches[patch] = self._server.scene.add_mesh_simple(
            f"/object/{patch[0]}/{patch[1] + 1}", mesh.vertices, mesh.faces, color=color, flat_shading=True,
            side="double", visible=visible, **NO_SHADOW,
        )  # fmt: skip
        self._bind(self._patches[patch], self._tool)

    def _paint(self) -> None:
        """Send the colors and visibility that have changed."""
        for (_, part), handle in self._patches.items():
            color, visible = self._look(part)
            if tuple(handle.color) != color:
                handle.color = color
            if handle.visible != visible:
                handle.visible = visible
        if self._texture is not None and self._texture.visible != (self._mode == "texture"):
            self._texture.visible = self._mode == "texture"

    def _hold(self, annotation: Annotation) -> None:
        colors = object_colors(frozenset(part.name for part in annotation.parts))
        self._annotation = annotation
        self._colors = {part.id: colors[part.name] for part in annotation.parts}

    def _look(self, part: int) -> tuple[tuple[int, int, int], bool]:
        """Return a part's color, 0 to 255 per channel, and True if it is visible."""
        dim = DIM if self._selected and part not in self._selected else 0.0
        channels = self._colors.get(part, UNLABELED_COLOR)
        red, green, blue = (round(255 * (channel + (1 - channel) * dim)) for channel in channels)
        return (red, green, blue), self._mode == "parts" and self._isolated in (None, part)

    def _bind(self, handle: MeshHandle, tool: Tool) -> None:
        """Let a patch take the pointer where the tool needs it; dragging orbits where it does not."""
        handle.remove_drag_callback("all")
        if tool.name == "brush":
            handle.on_drag(self._dragged)

    # Clicks are the scene's: a node that takes them gets an outline in yellow under the pointer.
    def _clicked(self, event: SceneClickEvent) -> None:
        self.click(np.array(event.ray_origin), np.array(event.ray_direction))

    async def _dragged(self, event: SceneNodeDragEvent[Any]) -> None:
        eye = np.array(event.client.camera.position)
        self.drag(event.phase, eye, np.array(event.end_position))

    def click(self, origin: Float[np.ndarray, " 3"], direction: Float[np.ndarray, " 3"]) -> None:
        """Select the part under a click, or paint with the tool; the ray is in the frame of the view."""
        with self._lock:
            scene, tool, annotation = self._scene, self._tool, self._annotation
            if scene is None or annotation is None:
                return
            faces, places = scene.picker.hits(origin, direction[None])
            if not len(faces):
                return
            face = int(faces[0])
            picked = int(annotation.face_part[face])
            if tool.name == "brush":
                painted = scene.picker.disc(face, places[0], 2 * tool.radius)
            elif tool.name == "component":
                painted = scene.picker.component(face)
            elif tool.name == "cluster":
                painted = scene.picker.cluster(face, tool.clusters)
        if tool.name == "orbit":
            self._on_pick(picked)
        elif len(painted):
            self._on_stroke(painted, tool.part)

    def drag(self, phase: Phase, eye: Float[np.ndarray, " 3"], place: Float[np.ndarray, " 3"]) -> None:
        """Move the pointer of a brush to a place, seen from the eye; both are in the frame of the view."""
        with self._lock:
            scene, tool = self._scene, self._tool
            if scene is None or tool.name != "brush":
                return
            before = self._under_way
            if phase == "start" or before is None:
                before = _Stroke(place, np.zeros(0, np.int64), tool)
            new = scene.picker.stroke(eye, before.place, place, 2 * before.tool.radius)
            faces = np.union1d(before.faces, new)
            if phase != "end":
                self._under_way = before._replace(place=place, faces=faces)
                if len(faces) > len(before.faces):
                    mesh = scene.lifted(faces)
                    self._stroke = self._server.scene.add_mesh_simple(
                        "/stroke", mesh.vertices, mesh.faces, color=STROKE_COLOR, side="double", **NO_SHADOW
                    )
                return
            self._under_way = None
        if len(faces):
            self._on_stroke(faces, before.tool.part)
        with self._lock:
            if self._stroke is not None:
                self._stroke.remove()
                self._stroke = None
