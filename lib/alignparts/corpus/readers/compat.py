"""3DCoMPaT++ and 3DCoMPaT200: glTF shapes whose nodes are named by part, dressed by a style composition.

The data set is one zip, or what was in it, with ``models/``, ``styles/`` and ``textures_map.json``. Its names
and official splits are in the folder ``metadata/`` of its repository: put it into the tree, beside it, or one
folder further up.
"""

import functools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trimesh

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import FolderResolver, load_scene, parts_by_node
from alignparts.corpus.mesh.surface import GRAY, surface_from_scene
from alignparts.corpus.readers.common import BrokenLabels, Locator, license_of, read_json
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "3DCoMPaT++ terms of use"
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
UNUSED = "of the official test split, which is not used"
Tree = Path | zipfile.Path


def read(locator: Locator) -> LabeledShape:
    """Read one shape under its first fine composition, or undressed where it has none.

    The part is the glTF node's name less its running number; ``locator.options.granularity`` "coarse" takes
    the part that ``metadata/hier_coarse.json`` puts it under. A name that ``metadata/parts_fine.json`` lacks
    stays unlabeled. A texture that is not there leaves its part gray.

    Raises:
        AlignPartsError: the file is broken, points are asked for, or a part has no coarse name.
        BrokenLabels: a file of ``metadata/`` is broken.
    """
    if locator.options.geometry == "points":
        raise AlignPartsError(
            f"{locator.path}: a mesh; ingest the folder of the clouds, <split>_<level>.hdf5, on its own"
        )
    root = open_tree(locator.root)
    key = Path(locator.path).stem
    data = (root / "models" / f"{key}.gltf").read_bytes() if is_tree(root) else locator.path.read_bytes()
    textures = _Textures(locator.root, key)
    scene, header = load_scene(data, str(locator.path), textures, textures.edit)
    surface = surface_from_scene(scene)
    nodes, surface.face_part[:] = parts_by_node(scene)
    known = frozenset(vocabulary(locator.root, "fine") or ())
    names = [_part(str(header["nodes"][node].get("name", "")), known) for node in nodes]
    if locator.options.granularity == "coarse":
        names = [coarse_name(locator.root, key, name) if name else "" for name in names]
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset="compat",
        category=locator.category or category_of(locator.root, key),
        license=locator.license or license_of(locator.root, LICENSE),
        source=str(locator.path),
        instances=names,
        surface=surface,
    )


def locate(root: Path) -> Iterator[Locator]:
    """The shapes of a data set, sorted, each with its official split.

    Those of the official test split are not used: the paper draws its own from train and valid.

    Raises:
        BrokenLabels: ``metadata/split.json`` is broken.
    """
    splits = official_splits(root)
    for key in shape_keys(root):
        split = splits.get(key, "")
        reason = UNUSED if split == "test" else ""
        path = root / "models" / f"{key}.gltf"
        yield Locator(path, root, safe_id("compat", key), reason=reason, split=split)


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


@functools.lru_cache(maxsize=8)
def official_splits(root: Path) -> dict[str, str]:
    """Official split of every shape that ``metadata/split.json`` lists: train, validation or test.

    Raises:
        BrokenLabels: it is broken.
    """
    found, table = metadata(root, "split.json")
    if table is None:
        return {}
    if not isinstance(table, dict) or not all(isinstance(keys, list) for keys in table.values()):
        raise BrokenLabels(f"{found}: expected {{train: [shape ids], valid: [...], test: [...]}}")
    return {str(key): split for word, split in SPLITS.items() for key in table.get(word, [])}


def vocabulary(root: Path, level: str) -> list[str] | None:
    """Part names of a level, "fine" or "coarse", by global part id; None where there is no such file.

    Raises:
        BrokenLabels: it is no list of names.
    """
    found, names = metadata(root, f"parts_{level}.json")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise BrokenLabels(f"{found}: expected a list of part names")
    return names


def category_of(root: Path, key: str) -> str:
    """The class of a shape: the two hexadecimal digits its key begins with are its id.

    Raises:
        AlignPartsError: there is no such class.
    """
    found, classes = metadata(root, "classes.json")
    try:
        return str(classes[int(key[:2], 16)]) if classes else ""
    except (ValueError, IndexError, KeyError):
        raise AlignPartsError(f"{root}: shape {key}: {found} has no class {key[:2]}") from None


def coarse_name(root: Path, key: str, part: str) -> str:
    """The coarse part that ``metadata/hier_coarse.json`` puts a fine part of a shape under.

    Raises:
        AlignPartsError: there is no such file, or it lacks the shape's class or the part.
        BrokenLabels: it is broken.
    """
    found, table = metadata(root, "hier_coarse.json")
    if table is None:
        raise AlignPartsError(
            f"{root}: no metadata/hier_coarse.json for coarse parts; add the repository's, or read fine parts"
        )
    if not isinstance(table, dict) or not all(isinstance(parts, dict) for parts in table.values()):
        raise BrokenLabels(f"{found}: expected {{hexadecimal class: {{fine part: coarse part}}}}")
    try:
        return str(table[key[:2]][part])
    except KeyError:
        raise AlignPartsError(
            f"{found}: shape {key}: class {key[:2]} has no part '{part}'; expected its coarse part "
            "(fine parts can be read without)"
        ) from None


@functools.lru_cache(maxsize=32)
def metadata(root: Path, name: str) -> tuple[str, Any]:
    """Path and content of a file of ``metadata/``; None where it is nowhere.

    Raises:
        BrokenLabels: it is not JSON.
    """
    # The official zip holds none; its loader takes the folder separately.
    places: list[Tree] = [open_tree(root), root.parent, root.parent.parent]
    for place in places:
        path = place / "metadata" / name
        if path.is_file():
            return str(path), _shared(path)
    return str(root / "metadata" / name), None


def _shared(path: Tree) -> Any:
    """JSON of a file that concerns all shapes."""
    try:
        return read_json(path)
    except AlignPartsError as error:
        raise BrokenLabels(str(error)) from None


@functools.lru_cache(maxsize=2)
def _open_zip(root: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(root)


def _part(name: str, known: frozenset[str]) -> str:
    """The part a node's name stands for: "leg" for "leg_01", and for "leg_01.001" of 3DCoMPaT200.

    Decimal digits alone are a number: the official code takes any hexadecimal ones, and so the bed off
    "cat_bed".
    """
    whole = re.sub(r"\.\d+$", "", name)
    short = re.sub(r"_\d+$", "", whole)
    return next((part for part in (short, whole) if not known or part in known), "")


class _Compositions:
    """The fine composition with the lowest number of every shape.

    Each of the up to a thousand files has one composition of every shape of its split, so that mostly the
    first ones are read.
    """

    def __init__(self, root: Tree) -> None:
        self.first: dict[str, dict[str, str]] = {}
        found = []
        styles: Any = root / "styles"
        for split in styles.iterdir() if is_tree(root) and styles.is_dir() else ():
            for file in split.iterdir() if split.is_dir() else ():
                number = re.fullmatch(r"comp_fine_(\d+)\.json", file.name)
                if number:
                    found.append((int(number[1]), split.name, file))
        self.rest = [file for *_, file in sorted(found, key=lambda entry: entry[:2], reverse=True)]

    def of(self, key: str) -> dict[str, str]:
        """Materials of a shape's parts; none where it has no composition."""
        while key not in self.first and self.rest:
            for name, parts in _shared(self.rest.pop()).items():
                self.first.setdefault(str(name).partition("__")[0], parts)
        return self.first.get(key, {})


@functools.lru_cache(maxsize=2)
def _compositions(root: Path) -> _Compositions:
    return _Compositions(open_tree(root))


@functools.lru_cache(maxsize=2)
def _textures_map(root: Path) -> dict[str, Any]:
    path = open_tree(root) / "textures_map.json"
    return _shared(path) if is_tree(open_tree(root)) and path.is_file() else {}


class _Textures(trimesh.resolvers.Resolver):
    """Finds the images a composition gives to the parts; other files of a loose shape beside it."""

    def __init__(self, root: Path, key: str) -> None:
        self.root = open_tree(root)
        self.composition = _compositions(root).of(key)
        self.files = _textures_map(root)

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
                    pbr.setdefault("baseColorFactor", list(GRAY))

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
