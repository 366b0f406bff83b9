"""GLB and glTF files whose nodes are named by part (asset packs, sample models, a corpus's own files)."""

import re
from pathlib import Path
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.scene import FolderResolver, load_parts
from alignparts.corpus.readers.common import Locator, labeled_shape
from alignparts.corpus.shape import LabeledShape

# Names that programs give, not people.
_MEANINGLESS = re.compile(
    r"(?i)(object|mesh|node|geometry|primitive|group|polygon|material|default|scene|root|world|rootnode|gltf|"
    r"cube|plane|sphere|cylinder|cone|torus|icosphere|circle|bezier ?curve|curve|text|shape|solid|body\d+|"
    r"sketchfab[_ ]?model|unlabell?ed|collada.*|.*\.(fbx|obj|dae|gltf|glb|stl))?[\s_\-.]*\d*"
)
_COUNTER = re.compile(r"(?:[._\-\s]+\d+|[._](?=[0-9a-f]*\d)[0-9a-f]{6})$")


def read(locator: Locator) -> LabeledShape:
    """Read one file; every node with a mesh is a part instance.

    The name is ``extras.part`` where there is one, else the node's name, else the mesh's, without the running
    numbers of modeling tools. Names such as "Object_2" say nothing: those nodes stay unlabeled.
    """
    path = locator.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror}") from None
    surface, nodes, header = load_parts(data, str(path), FolderResolver(path.parent, locator.root))
    names = [_name(node, header["meshes"][node["mesh"]]) for node in nodes]
    category = category_from(path)
    return labeled_shape(locator, "named_glb", names, surface, category=category, license_root=path.parent)


def category_from(path: Path) -> str:
    """Guess a category from a file's name, where nothing states one: "car_2.glb" gives "car"."""
    return re.sub(r"[_\-\s]+", " ", strip_counter(path.stem)).strip()


def strip_counter(name: str) -> str:
    """Return a node's name without the suffixes that modeling tools append to repeated names.

    "leg.001", "leg_02", "leg 3", "leg-4", "leg_1_0" and a trimesh suffix of six hexadecimal digits that holds
    a digit become "leg"; "leg_left", "mp3" and "12" stay as they are.
    """
    text = name.strip()
    while True:
        shorter = _COUNTER.sub("", text)
        if shorter == text or not re.search(r"[^\W\d_]", shorter):
            return text
        text = shorter


def _name(node: dict[str, Any], mesh: dict[str, Any]) -> str:
    if "part" in node.get("extras", {}):
        return str(node["extras"]["part"])
    given = (strip_counter(name) for name in (node.get("name"), mesh.get("name")) if isinstance(name, str))
    return next((name for name in given if not _MEANINGLESS.fullmatch(name)), "")
