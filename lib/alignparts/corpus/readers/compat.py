"""3DCoMPaT++: glTF shapes whose nodes are named by part, dressed by a style composition."""

import functools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trimesh

from alignparts.corpus.glb import FolderResolver, load_scene, parts_by_node
from alignparts.corpus.readers.common import Locator, licence_of, read_json
from alignparts.corpus.shape import LabelledShape
from alignparts.corpus.surface import GREY, surface_from_scene
from alignparts.errors import AlignPartsError

LICENCE = "3DCoMPaT++ terms of use"
Tree = Path | zipfile.Path


def read(locator: Locator) -> LabelledShape:
    """Read one shape under its first fine composition, or undressed where it has none.

    The part is the glTF node's name less its trailing number. A name that ``metadata/parts_fine.json`` lacks
    stays unlabelled.

    A texture that is not there leaves its part grey.

    Raises:
        AlignPartsError: the file is broken.
    """
    root = open_tree(locator.root)
    key = Path(locator.path).stem
    data = (root / "models" / f"{key}.gltf").read_bytes() if is_tree(root) else locator.path.read_bytes()
    textures = _Textures(root, _composition(locator.root, key))
    scene, header = load_scene(data, str(locator.path), textures, textures.edit)
    known = _known_parts(locator.root)
    surface = surface_from_scene(scene)
    nodes, surface.face_part[:] = parts_by_node(scene)
    names = [re.sub(r"_\d+$", "", str(header["nodes"][node].get("name", ""))) for node in nodes]
    return LabelledShape(
        shape_id=locator.shape_id,
        dataset="compat",
        category=locator.category or _category(locator.root, key),
        licence=locator.licence or licence_of(locator.root, LICENCE),
        source=str(locator.path),
        instances=[name if not known or name in known else "" for name in names],
        surface=surface,
    )


def open_tree(root: Path) -> Tree:
    """A data set's folder, or the inside of its zip."""
    return zipfile.Path(_open_zip(root)) if root.suffix == ".zip" else root


def is_tree(root: Tree) -> bool:
    """Whether this is a whole data set, not a folder with a loose shape."""
    return (root / "models").is_dir() and any(
        (root / name).exists() for name in ("textures_map.json", "styles/", "metadata/")
    )


def shape_keys(root: Path) -> Iterator[str]:
    """Ids of the shapes of a data set, sorted."""
    models = open_tree(root) / "models"
    yield from sorted(entry.name[:-5] for entry in models.iterdir() if entry.name.endswith(".gltf"))


def official_test(root: Path) -> frozenset[str]:
    """Shapes of the official test split: the paper draws its own from train and valid."""
    split = _table(root, "metadata/split.json")
    return frozenset(split.get("test", [])) if isinstance(split, dict) else frozenset()


@functools.lru_cache(maxsize=2)
def _open_zip(root: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(root)


@functools.lru_cache(maxsize=32)
def _table(root: Path, name: str) -> Any:
    path = open_tree(root) / name
    if not path.is_file():
        return None
    return read_json(path)


@functools.lru_cache(maxsize=2)
def _compositions(root: Path) -> dict[str, dict[str, str]]:
    """Parts and materials of every shape that has a fine composition; the lowest numbered one counts."""
    styles: Any = open_tree(root) / "styles"
    result: dict[str, dict[str, str]] = {}
    if not is_tree(open_tree(root)) or not styles.is_dir():
        return result
    for split in sorted(styles.iterdir(), key=lambda entry: entry.name):
        files = (
            [e for e in split.iterdir() if re.fullmatch(r"comp_fine_\d+\.json", e.name)]
            if split.is_dir()
            else []
        )
        for file in sorted(files, key=lambda entry: int(entry.name[10:-5])):
            for key, parts in read_json(file).items():
                result.setdefault(str(key).partition("__")[0], parts)
    return result


def _composition(root: Path, key: str) -> dict[str, str]:
    return _compositions(root).get(key, {})


@functools.lru_cache(maxsize=8)
def _known_parts(root: Path) -> frozenset[str]:
    parts = _table(root, "metadata/parts_fine.json")
    return frozenset(parts) if isinstance(parts, list | dict) else frozenset()


def _category(root: Path, key: str) -> str:
    classes = _table(root, "metadata/classes.json")
    try:
        return str(classes[int(key[:2], 16)]) if classes else ""
    except (ValueError, IndexError, KeyError):
        raise AlignPartsError(f"{root}: shape {key}: metadata/classes.json has no class {key[:2]}") from None


class _Textures(trimesh.resolvers.Resolver):
    """Finds the images a composition gives to the parts; other files of a loose shape beside it."""

    def __init__(self, root: Tree, composition: dict[str, str]) -> None:
        self.root = root
        self.composition = composition
        self.files: dict[str, Any] = {}
        if is_tree(root):
            self.files = _table(Path(str(root).rstrip("/")), "textures_map.json") or {}

    def edit(self, header: dict[str, Any]) -> None:
        """Replace the placeholder images: the diffuse map by the part's material, other maps by nothing."""
        for image in header.get("images", []):
            if image.get("mimeType") != "type_placeholder":
                continue
            kind = image.pop("uri", "")
            image.pop("mimeType")
            material = self.composition.get(str(image.get("name")), "placeholder")
            entry = self.files.get(material, {}).get(kind)
            if kind == "diffuse" and entry:
                image["uri"] = entry if isinstance(entry, str) else entry[0]
        for material in header.get("materials", []):
            pbr = material.get("pbrMetallicRoughness", {})
            pbr.pop("metallicRoughnessTexture", None)
            material.pop("normalTexture", None)
            texture = pbr.get("baseColorTexture")
            if texture is not None:
                source = header["textures"][texture["index"]].get("source")
                if source is not None and not {"uri", "bufferView"} & header["images"][source].keys():
                    pbr.pop("baseColorTexture")
                    pbr.setdefault("baseColorFactor", list(GREY))

    def get(self, name: str) -> bytes:
        """Bytes of a file of the data set."""
        if isinstance(self.root, Path):
            return FolderResolver(self.root).get(name)
        return (self.root / name).read_bytes()

    def keys(self) -> list[str]:
        """Names of the texture files are not listed."""
        return []

    def write(self, name: str, data: Any) -> None:
        """Not for writing."""
        raise AlignPartsError(f"{self.root}: read only, cannot write {name}")

    def namespaced(self, namespace: str) -> "_Textures":
        """The same files: names are given from the root."""
        return self
