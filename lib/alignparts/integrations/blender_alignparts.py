"""Name parts in Blender: an add-on of one file that calls the command ``alignparts name``.

Edit > Preferences > Add-ons > Install from Disk; the panel is in the sidebar of the 3D view. Every selected
mesh object is named by itself, in the pose that it has in the world, all of them in one run of the command.
"""

# mypy: disable-error-code="valid-type"
# Blender reads properties from annotations.

import ast
import colorsys
import json
import shutil
import struct
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import bmesh
import bpy

bl_info = {
    "name": "ALIGN-Parts",
    "description": "Segment objects into named parts",
    "version": (0, 1, 0),
    "blender": (4, 2, 0),
    "location": "3D View > Sidebar > ALIGN-Parts",
    "category": "Object",
}

POLYGON = "_POLYGON"
"""Attribute of a GLB's vertices: the polygon that they are a corner of. Exporters may reorder triangles."""
CODES: dict[int, Any] = {5121: "B", 5123: "H", 5125: "I", 5126: "f"}
"""Formats of glTF's component types."""


class NamingError(Exception):
    """Reason why nothing was named, in one line."""


class Node(NamedTuple):
    """A part, or an instance or piece of one: names from the part down, and the part's confidence."""

    path: tuple[str, ...]
    confidence: float
    needs_review: bool


def read_npy(path: Path) -> list[int]:
    """Return the integers of a one-dimensional .npy file of int32.

    Raises:
        NamingError: the file holds something else.
    """
    data = path.read_bytes()
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    header = ast.literal_eval(data[10:start].decode("latin-1"))
    if data[:8] != b"\x93NUMPY\x01\x00" or header["descr"] != "<i4" or len(header["shape"]) != 1:
        raise NamingError(f"{path}: expected a one-dimensional array of int32")
    return memoryview(data)[start:].cast("i").tolist()


def read_polygons(path: Path) -> list[int]:
    """Return the polygon of every triangle of a GLB that holds one mesh, in the order of the file."""
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    header, binary = json.loads(data[20 : 20 + size]), memoryview(data)[28 + size :]

    def values(number: int) -> memoryview:
        accessor = header["accessors"][number]
        view, code = header["bufferViews"][accessor["bufferView"]], CODES[accessor["componentType"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return binary[start : start + struct.calcsize(code) * accessor["count"]].cast(code)

    found: list[int] = []
    for primitive in header["meshes"][0]["primitives"]:
        if primitive.get("mode", 4) == 4:
            polygon, corners = values(primitive["attributes"][POLYGON]), values(primitive["indices"])
            found += [int(polygon[corner]) for corner in corners[::3]]
    return found


def read_labels(folder: Path) -> tuple[str, list[Node], list[int]]:
    """Return the category, the nodes of a result that have faces, and the node of every face, -1 for none."""
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    kinds = [kind for kind in ("instance", "piece") if (folder / f"face_{kind}s.npy").is_file()]
    levels = [read_npy(folder / f"face_{kind}s.npy") for kind in kinds]
    routes = list(zip(read_npy(folder / "face_labels.npy"), *levels, strict=True))

    def node(part: int, *numbers: int) -> Node:
        record = at = labels["parts"][part]
        path = [record["name"]]
        for kind, number in zip(kinds, numbers, strict=True):
            below = at.get("children", [])
            if below and kind in below[0]:  # a level with one child is left out
                at = below[number - 1]
                path.append(at["name"])
        return Node(tuple(path), record["confidence"], record["needs_review"])

    found = {route: node(*route) for route in sorted(set(routes)) if route[0] >= 0}
    number = {known: index for index, known in enumerate(dict.fromkeys(found.values()))}
    return labels["category"], list(number), [number[found[r]] if r in found else -1 for r in routes]


def label_polygons(polygons: Sequence[int], labels: Sequence[int], count: int) -> list[int]:
    """Return the label that most triangles of every polygon have, -1 for a polygon without triangles.

    Raises:
        NamingError: there are not as many labels as triangles.
    """
    if len(polygons) != len(labels):
        raise NamingError(f"{len(labels)} labels for {len(polygons)} triangles")
    most, found = [0] * count, [-1] * count
    for (polygon, label), votes in Counter(zip(polygons, labels, strict=True)).items():
        if votes > most[polygon]:
            most[polygon], found[polygon] = votes, label
    return found


def command_line(
    command: str,
    meshes: Sequence[Path],
    out: Path,
    detail: str,
    instances: bool,
    vocabulary: str,
    category: str,
) -> list[str]:
    """Return the command with its arguments; "" is no vocabulary, or no category."""
    line = [command, "name", *map(str, meshes), "--out", str(out), "--no-picture", "--detail", detail]
    given = {"--vocabulary": vocabulary, "--category": category}
    line += [word for option, value in given.items() if value for word in (option, value)]
    return [*line, "--instances"] if instances else line


def last_line(path: Path) -> str:
    """Return the last line of a text file that is not empty, "" if there is none."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


class Run:
    """The command at work on the selected objects, by name, in a folder of its own until it is closed."""

    def __init__(self, context: Any) -> None:
        options = context.scene.alignparts
        items = [item for item in context.selected_objects if item.type == "MESH" and item.data.polygons]
        if not items:
            raise NamingError("select a mesh object with faces")
        self.names, self.split = [item.name for item in items], options.result == "SPLIT"
        self.start = time.monotonic()
        self.process: Any = None
        self.folder = Path(tempfile.mkdtemp(prefix="alignparts-"))
        self.glbs = [self.folder / f"{index}.glb" for index in range(len(items))]
        self.errors, out = self.folder / "errors.txt", self.folder / "out"
        self.results = [out / glb.stem for glb in self.glbs] if len(items) > 1 else [out]
        command = context.preferences.addons[__name__].preferences.command
        line = command_line(
            str(Path(bpy.path.abspath(command)).expanduser()), self.glbs, out,
            options.detail, options.instances, bpy.path.abspath(options.vocabulary), options.category,
        )  # fmt: skip
        try:
            given = zip(items, self.glbs, strict=True)
            self.polygons = [export(context, item, glb, self.split) for item, glb in given]
            with self.errors.open("wb") as errors:
                self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=errors)
        except (FileNotFoundError, PermissionError) as error:
            self.close()
            raise NamingError(f"{command}: {error.strerror}; set its path in the preferences") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the command if it is running, and remove the folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def apply(self, context: Any, index: int) -> str:
        """Give an object its parts; return a line on it, "" where the command has no result for it.

        Raises:
            NamingError: the object is not what it was when the command was started.
        """
        name, result = self.names[index], self.results[index]
        if not (result / "labels.json").is_file():
            return ""
        item = bpy.data.objects.get(name)
        mesh = None if item is None else snapshot(context, item, self.split)
        if mesh is None or len(mesh.polygons) != self.polygons[index]:
            raise NamingError(f"{name} was changed while it was named")
        category, nodes, labels = read_labels(result)
        of_polygon = label_polygons(read_polygons(self.glbs[index]), labels, len(mesh.polygons))
        if self.split:
            split(context, item, mesh, category, nodes, of_polygon)
        else:
            mark(item, nodes, of_polygon)
        bpy.data.meshes.remove(mesh)
        return f"{name}: {', '.join(dict.fromkeys(node.path[0] for node in nodes))}"


def snapshot(context: Any, item: Any, modified: bool) -> Any:
    """Return a copy of an object's mesh, or of what its modifiers make of it."""
    if not modified:
        return item.data.copy()
    graph = context.evaluated_depsgraph_get()
    whole = item.evaluated_get(graph)
    return bpy.data.meshes.new_from_object(whole, preserve_all_data_layers=True, depsgraph=graph)


def export(context: Any, item: Any, path: Path, modified: bool) -> int:
    """Write an object as a GLB in world coordinates, y up; return the number of its polygons."""
    mesh, selected = snapshot(context, item, modified), context.selected_objects
    count = len(mesh.polygons)
    face_attribute(mesh, POLYGON, range(count))
    mesh.transform(item.matrix_world)
    if item.matrix_world.determinant() < 0:
        mesh.flip_normals()
    twin = bpy.data.objects.new(item.name, mesh)
    context.scene.collection.objects.link(twin)
    for other in selected:
        other.select_set(False)
    twin.select_set(True)
    try:
        bpy.ops.export_scene.gltf(
            filepath=str(path), export_format="GLB", use_selection=True, export_yup=True,
            export_attributes=True, export_normals=False, export_animations=False, export_skins=False,
            export_morph=False,
        )  # fmt: skip
    finally:
        bpy.data.meshes.remove(mesh)  # its object with it
        for other in selected:
            other.select_set(True)
    return count


def face_attribute(mesh: Any, name: str, values: Sequence[int]) -> None:
    """Set an integer attribute of the faces, in the place of any attribute of that name."""
    if name in mesh.attributes:
        mesh.attributes.remove(mesh.attributes[name])
    mesh.attributes.new(name, "INT", "FACE").data.foreach_set("value", values)


def split(
    context: Any, item: Any, mesh: Any, category: str, nodes: Sequence[Node], labels: Sequence[int]
) -> None:
    """Put an empty with an object per part in an object's place; edges without faces are dropped."""
    name, homes = item.name, list(item.users_collection)
    root = bpy.data.objects.new(name, None)
    root.parent, root.parent_type, root.parent_bone = item.parent, item.parent_type, item.parent_bone
    root.matrix_parent_inverse = item.matrix_parent_inverse
    root.matrix_world = item.matrix_world
    root["category"] = category
    for child in item.children:
        inverse = child.matrix_parent_inverse.copy()
        child.parent = root
        child.matrix_parent_inverse = inverse
    bpy.data.objects.remove(item)
    root.name = name
    made: dict[tuple[str, ...], Any] = {(): root}

    def add(path: tuple[str, ...], data: Any) -> Any:
        made[path] = bpy.data.objects.new(path[-1], data)
        made[path].parent = made[path[:-1]]
        return made[path]

    def part(number: int, path: tuple[str, ...]) -> Any:
        cut = bmesh.new()
        cut.from_mesh(mesh)
        others = [face for face, label in zip(cut.faces, labels, strict=True) if label != number]
        bmesh.ops.delete(cut, geom=others, context="FACES")
        bmesh.ops.delete(cut, geom=[v for v in cut.verts if not v.link_faces], context="VERTS")
        data = mesh.copy()
        data.name = path[-1]
        cut.to_mesh(data)
        cut.free()
        return add(path, data)

    for number, node in enumerate(nodes):
        if number not in labels:  # outvoted in every polygon
            continue
        for depth in range(1, len(node.path)):
            if node.path[:depth] not in made:
                add(node.path[:depth], None)
        made_part = part(number, node.path)
        made_part["confidence"], made_part["needs_review"] = node.confidence, node.needs_review
    if -1 in labels:
        part(-1, ("unlabeled",))
    for made_object in made.values():
        for home in homes:
            home.objects.link(made_object)
        made_object.select_set(True)
    context.view_layer.objects.active = root


def mark(item: Any, nodes: Sequence[Node], labels: Sequence[int]) -> None:
    """Give a mesh the face attribute "part", and a vertex group and a colored material per part."""
    mesh = item.data
    face_attribute(mesh, "part", labels)
    corners: list[set[int]] = [set() for _ in nodes]
    for polygon, label in zip(mesh.polygons, labels, strict=True):
        if label >= 0:
            corners[label].update(polygon.vertices)
    slots = []
    for number, node in enumerate(nodes):
        name = node.path[-1]
        if name in item.vertex_groups:  # of an earlier run
            item.vertex_groups.remove(item.vertex_groups[name])
        item.vertex_groups.new(name=name).add(list(corners[number]), 1.0, "REPLACE")
        if name not in bpy.data.materials:
            color = (*colorsys.hsv_to_rgb(number * 0.618 % 1, 0.6, 0.8), 1)
            bpy.data.materials.new(name).diffuse_color = color
        if name not in mesh.materials:
            mesh.materials.append(bpy.data.materials[name])
        slots.append(mesh.materials.find(name))
    for polygon, label in zip(mesh.polygons, labels, strict=True):
        if label >= 0:
            polygon.material_index = slots[label]


class NameParts(bpy.types.Operator):
    """Name the parts of the selected mesh objects; Esc cancels"""

    bl_idname = "alignparts.name_parts"
    bl_label = "Name parts"
    bl_options = {"UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.mode == "OBJECT"

    def execute(self, context: Any) -> set[str]:
        """Name the parts and wait for it, as scripts want."""
        return self._begin(context) or self._end(context)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Start the command, and look at it five times per second."""
        if stopped := self._begin(context):
            return stopped
        self.timer = context.window_manager.event_timer_add(0.2, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """End with the command or at Esc; all other events go to Blender."""
        if event.type != "ESC" and self.run.process.poll() is None:
            seconds = time.monotonic() - self.run.start
            line = last_line(self.run.errors)
            context.workspace.status_text_set(f"Naming parts, {seconds:.0f} s. Esc cancels. {line}")
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self.timer)
        context.workspace.status_text_set(None)
        if event.type == "ESC":
            self.run.close()
            self.report({"INFO"}, "naming was cancelled")
            return {"CANCELLED"}
        return self._end(context)

    def _begin(self, context: Any) -> set[str]:
        try:
            self.run = Run(context)
        except NamingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return set()

    def _end(self, context: Any) -> set[str]:
        lines, problems = [], []
        try:
            failed = self.run.process.wait() != 0
            for index in range(len(self.run.names)):
                try:
                    lines.append(self.run.apply(context, index))
                except NamingError as error:
                    problems.append(str(error))
            if failed:
                problems.append(last_line(self.run.errors) or "the command ended without a result")
        finally:
            self.run.close()
        lines = [line for line in lines if line]
        for kind, texts in (("INFO", lines), ("ERROR", problems)):
            if texts:
                self.report({kind}, "; ".join(texts))
        return {"FINISHED"} if lines else {"CANCELLED"}


class Options(bpy.types.PropertyGroup):
    """Settings of the panel, kept with the scene."""

    result: bpy.props.EnumProperty(
        name="Result",
        items=(
            ("SPLIT", "Objects", "Put an object per part, modifiers applied, in the object's place"),
            (
                "MARK",
                "Labels",
                'Make the face attribute "part", vertex groups and materials; leave modifiers out',
            ),
        ),
    )
    detail: bpy.props.EnumProperty(
        name="Detail",
        items=[(name, name.capitalize(), "") for name in ("coarse", "default", "fine")],
        default="default",
    )
    instances: bpy.props.BoolProperty(name="Instances", description="Keep the instances of a part apart")
    vocabulary: bpy.props.StringProperty(
        name="Vocabulary", subtype="FILE_PATH", description="YAML: a list of names, or name: description"
    )
    category: bpy.props.StringProperty(
        name="Category", description="The object's category, instead of finding it"
    )


class Preferences(bpy.types.AddonPreferences):
    """Where the command is."""

    bl_idname = __name__

    command: bpy.props.StringProperty(name="Command", subtype="FILE_PATH", default="alignparts")

    def draw(self, context: Any) -> None:
        self.layout.prop(self, "command")


class Panel(bpy.types.Panel):
    """Sidebar of the 3D view."""

    bl_idname = "VIEW3D_PT_alignparts"
    bl_label = "ALIGN-Parts"
    bl_category = "ALIGN-Parts"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: Any) -> None:
        for name in Options.__annotations__:
            self.layout.prop(context.scene.alignparts, name)
        self.layout.operator(NameParts.bl_idname)


CLASSES = (Options, Preferences, NameParts, Panel)


def register() -> None:
    """Add the panel to Blender."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.alignparts = bpy.props.PointerProperty(type=Options)


def unregister() -> None:
    """Take the panel out of Blender."""
    del bpy.types.Scene.alignparts
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
