"""GLB and glTF files whose nodes are named by part (asset packs, sample models, a corpus's own files)."""

import re
from pathlib import Path

import numpy as np
import trimesh

from alignparts.corpus.glb import NODE_KEY, FolderResolver, load_scene, strip_counter
from alignparts.corpus.readers.common import Locator, licence_of
from alignparts.corpus.shape import LabelledShape
from alignparts.corpus.surface import node_extras, surface_from_scene
from alignparts.errors import AlignPartsError

# Names that programs give, not people.
_MEANINGLESS = re.compile(
    r"(?i)(object|mesh|node|geometry|primitive|group|polygon|material|default|scene|root|world|rootnode|gltf|"
    r"cube|plane|sphere|cylinder|cone|torus|icosphere|circle|bezier ?curve|curve|text|shape|solid|body\d+|"
    r"sketchfab[_ ]?model|collada.*|.*\.(fbx|obj|dae|gltf|glb|stl))?[\s_\-.]*\d*"
)


def read(locator: Locator) -> LabelledShape:
    """Read one file; every node with a mesh is a part instance.

    The name is ``extras.part`` where there is one, else the node's name, else the mesh's, without the running
    numbers of modelling tools. Names such as "Object_2" say nothing: those nodes stay unlabelled.

    Raises:
        AlignPartsError: not glTF, compressed, broken, or without triangles.
    """
    path = locator.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror}") from None
    scene, header = load_scene(data, str(path), FolderResolver(path.parent, locator.root))
    names: list[str] = []
    number: dict[int, int] = {}
    parts: list[np.ndarray] = []
    for node in scene.graph.nodes_geometry:
        mesh = scene.geometry[scene.graph[node][1]]
        if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
            continue
        extras = node_extras(scene, node)
        index = extras[NODE_KEY]
        if index not in number:
            number[index] = len(names)
            given = header["nodes"][index]
            names.append(str(extras["part"]) if "part" in extras else _name(header, given))
        parts.append(np.full(len(mesh.faces), number[index], np.int32))
    surface = surface_from_scene(scene)
    surface.face_part[:] = np.concatenate(parts)
    return LabelledShape(
        shape_id=locator.shape_id,
        dataset="named_glb",
        category=locator.category or category_from(path),
        licence=locator.licence or licence_of(path.parent),
        source=str(path),
        instances=names,
        surface=surface,
    )


def category_from(path: Path) -> str:
    """A category guessed from a file's name, where nothing states one: "car_sedan_2.glb" gives "car sedan"."""
    return re.sub(r"[_\-\s]+", " ", strip_counter(path.stem)).strip()


def _name(header: dict, node: dict) -> str:
    mesh = header["meshes"][node["mesh"]]
    for name in (node.get("name"), mesh.get("name")):
        if isinstance(name, str):
            short = strip_counter(name)
            if not _MEANINGLESS.fullmatch(short):
                return short
    return ""
