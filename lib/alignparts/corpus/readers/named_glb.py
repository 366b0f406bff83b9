"""GLB and glTF files whose nodes are named by part (asset packs, sample models, a corpus's own files)."""

import re
from pathlib import Path
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import FolderResolver, load_scene, parts_by_node, strip_counter
from alignparts.corpus.mesh.surface import surface_from_scene
from alignparts.corpus.readers.common import Locator, license_of
from alignparts.corpus.shape import LabeledShape

# Names that programs give, not people.
_MEANINGLESS = re.compile(
    r"(?i)(object|mesh|node|geometry|primitive|group|polygon|material|default|scene|root|world|rootnode|gltf|"
    r"cube|plane|sphere|cylinder|cone|torus|icosphere|circle|bezier ?curve|curve|text|shape|solid|body\d+|"
    r"sketchfab[_ ]?model|unlabell?ed|collada.*|.*\.(fbx|obj|dae|gltf|glb|stl))?[\s_\-.]*\d*"
)


def read(locator: Locator) -> LabeledShape:
    """Read one file; every node with a mesh is a part instance.

    The name is ``extras.part`` where there is one, else the node's name, else the mesh's, without the running
    numbers of modelling tools. Names such as "Object_2" say nothing: those nodes stay unlabeled.

    Raises:
        AlignPartsError: not glTF, compressed, broken, or without triangles.
    """
    path = locator.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror}") from None
    scene, header = load_scene(data, str(path), FolderResolver(path.parent, locator.root))
    try:
        surface = surface_from_scene(scene)
    except AlignPartsError as error:
        raise AlignPartsError(f"{path}: {error}") from None
    nodes, surface.face_part[:] = parts_by_node(scene)
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset="named_glb",
        category=locator.category or category_from(path),
        license=locator.license or license_of(path.parent),
        source=str(path),
        instances=[_name(header, header["nodes"][node]) for node in nodes],
        surface=surface,
    )


def category_from(path: Path) -> str:
    """A category guessed from a file's name, where nothing states one: "car_2.glb" gives "car"."""
    return re.sub(r"[_\-\s]+", " ", strip_counter(path.stem)).strip()


def _name(header: dict[str, Any], node: dict[str, Any]) -> str:
    if "part" in node.get("extras", {}):
        return str(node["extras"]["part"])
    mesh = header["meshes"][node["mesh"]]
    for name in (node.get("name"), mesh.get("name")):
        if isinstance(name, str):
            short = strip_counter(name)
            if not _MEANINGLESS.fullmatch(short):
                return short
    return ""
