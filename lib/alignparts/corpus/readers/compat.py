"""3DCoMPaT++ and 3DCoMPaT200: glTF shapes whose nodes are named by part, dressed by a style composition.

The data set is one zip, or its unpacked content, with ``models/``, ``styles/`` and ``textures_map.json``. Its
names and official splits are in the folder ``metadata/`` of its repository: put it into the tree, beside it,
or one folder further up.
"""

import functools
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.scene import FolderResolver, load_parts
from alignparts.corpus.mesh.surface import GRAY
from alignparts.corpus.readers import common
from alignparts.corpus.readers.common import BrokenLabels, Locator, Tree
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "3DCoMPaT++ terms of use"
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
UNUSED = "of the official test split, which is not used"


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder is the whole data set, unpacked."""
    return "models" in names and is_tree(folder)


def locate(root: Path) -> Iterator[Locator]:
    """Yield the shapes of a data set, sorted; the paper draws its test set from train and valid."""
    splits = _official_splits(root)
    models = (open_tree(root) / "models").iterdir()
    for key in sorted(entry.name[:-5] for entry in models if entry.name.endswith(".gltf")):
        split = splits.get(key, "")
        reason = UNUSED if split == "test" else ""
        path = root / "models" / f"{key}.gltf"
        yield Locator(path, root, safe_id("compat", key), reason=reason, split=split)


def read(locator: Locator) -> LabeledShape:
    """Read one shape under its first fine composition, or undressed where it has none.

    The part is the glTF node's name less its running number, or the coarse part of it. A name that
    ``metadata/parts_fine.json`` lacks stays unlabeled, a part without its texture gray.
    """
    if locator.options.geometry == "points":
        raise AlignPartsError(
            f"{locator.path}: a mesh; ingest the folder of the clouds, <split>_<level>.hdf5, on its own"
        )
    root, tree, key = locator.root, open_tree(locator.root), Path(locator.path).stem
    data = (tree / "models" / f"{key}.gltf").read_bytes() if is_tree(tree) else locator.path.read_bytes()
    textures = _Textures(root, key)
    surface, nodes, _ = load_parts(data, str(locator.path), textures, textures.edit)
    known = frozenset(vocabulary(root, "fine") or ())
    names = [_part(str(node.get("name", "")), known) for node in nodes]
    if locator.options.granularity == "coarse":
        names = [coarse_name(root, key, name) if name else "" for name in names]
    category = locator.category or category_of(root, key)
    return common.labeled_shape(locator, "compat", names, surface, category=category, license=LICENSE)


def open_tree(root: Path) -> Tree:
    """Return a data set's folder, or the inside of its zip."""
    return zipfile.Path(common.open_zip(root)) if root.suffix == ".zip" else root


def is_tree(root: Tree) -> bool:
    """Return whether this is a whole data set, not a folder with a loose shape."""
    beside = ("textures_map.json", "styles/", "metadata/")
    return (root / "models").is_dir() and any((root / name).exists() for name in beside)


@functools.lru_cache(maxsize=8)
def _official_splits(root: Path) -> dict[str, str]:
    """Return the official split of every shape: train, validation or test."""
    expected = "{train: [shape ids], valid: [...], test: [...]}"
    table = metadata(root, "split.json", dict[str, list[str]], expected)[1] or {}
    return {key: split for word, split in SPLITS.items() for key in table.get(word, [])}


def vocabulary(root: Path, level: str) -> list[str] | None:
    """Return the part names of a level, "fine" or "coarse", by global part id; None without a file."""
    return metadata(root, f"parts_{level}.json", list[str], "a list of part names")[1]


def category_of(root: Path, key: str) -> str:
    """Return the class of a shape: the two hexadecimal digits its key begins with are its id."""
    path, classes = metadata(root, "classes.json")
    try:
        return str(classes[int(key[:2], 16)]) if classes else ""
    except (ValueError, IndexError, KeyError):
        raise AlignPartsError(f"{root}: shape {key}: {path} has no class {key[:2]}") from None


def coarse_name(root: Path, key: str, part: str) -> str:
    """Return the coarse part that ``metadata/hier_coarse.json`` puts a fine part of a shape under."""
    expected = "{hexadecimal class: {fine part: coarse part}}"
    path, table = metadata(root, "hier_coarse.json", dict[str, dict[str, str]], expected)
    if table is None:
        raise AlignPartsError(
            f"{root}: no metadata/hier_coarse.json for coarse parts; add the repository's, or read fine parts"
        )
    try:
        return table[key[:2]][part]
    except KeyError:
        message = f"shape {key}: class {key[:2]} has no part '{part}'; expected its coarse part"
        raise AlignPartsError(f"{path}: {message} (fine parts can be read without)") from None


@functools.lru_cache(maxsize=32)
def metadata(root: Path, name: str, form: Any = Any, expected: str = "") -> tuple[Tree, Any]:
    """Return path and content of a file of ``metadata/``, of a form; None as content where it is nowhere."""
    # The official zip holds none; its loader takes the folder separately.
    for place in (open_tree(root), root.parent, root.parent.parent):
        path = place / "metadata" / name
        if path.is_file():
            return path, common.read_json(path, form, expected, BrokenLabels)
    return root / "metadata" / name, None


def _part(name: str, known: frozenset[str]) -> str:
    """Return the part of a node's name: "leg" for "leg_01", and for "leg_01.001" of 3DCoMPaT200."""
    # Decimal digits alone: the official code takes hexadecimal ones, and so the bed off "cat_bed".
    whole = re.sub(r"\.\d+$", "", name)
    short = re.sub(r"_\d+$", "", whole)
    return next((part for part in (short, whole) if not known or part in known), "")


class _Styles:
    """The texture files of a data set, and per shape its fine composition of the lowest number.

    Each of up to a thousand files has one composition of every shape of its split: mostly the first are read.
    """

    def __init__(self, root: Path) -> None:
        tree: Any = open_tree(root)
        table = tree / "textures_map.json"
        whole = is_tree(tree)
        readable = whole and table.is_file()
        self.textures: dict[str, Any] = common.read_json(table, broken=BrokenLabels) if readable else {}
        folders = (tree / "styles").iterdir() if whole and (tree / "styles").is_dir() else ()
        files = (file for split in folders if split.is_dir() for file in split.iterdir())
        numbered = ((re.fullmatch(r"comp_fine_(\d+)\.json", file.name), file) for file in files)
        order = [(int(match[1]), file.parent.name, file) for match, file in numbered if match]
        self.first: dict[str, dict[str, str]] = {}
        self.rest = [file for *_, file in sorted(order, key=lambda entry: entry[:2], reverse=True)]

    def composition(self, key: str) -> dict[str, str]:
        """Return the materials of a shape's parts; none where it has no composition."""
        while key not in self.first and self.rest:
            for name, parts in common.read_json(self.rest.pop(), broken=BrokenLabels).items():
                self.first.setdefault(str(name).partition("__")[0], parts)
        return self.first.get(key, {})


_styles = functools.lru_cache(maxsize=2)(_Styles)


class _Textures(FolderResolver):
    """Finds the images that a composition gives to the parts; other files of a loose shape beside it."""

    def __init__(self, root: Path, key: str) -> None:
        super().__init__(root)
        self.tree, styles = open_tree(root), _styles(root)
        self.composition, self.files = styles.composition(key), styles.textures

    def edit(self, header: dict[str, Any]) -> None:
        """Replace the placeholder images: the diffuse map by the part's material, other maps by nothing."""
        for image in header.get("images", []):
            if image.get("mimeType") == "type_placeholder":
                kind, _ = image.pop("uri", ""), image.pop("mimeType")
                material = self.composition.get(str(image.get("name")), "placeholder")
                entry = self.files.get(material, {}).get(kind)
                if kind == "diffuse" and entry:
                    image["uri"] = entry if isinstance(entry, str) else entry[0]
        for material in header.get("materials", []):
            pbr = material.get("pbrMetallicRoughness", {})
            pbr.pop("metallicRoughnessTexture", None)
            material.pop("normalTexture", None)
            texture = pbr.get("baseColorTexture")
            source = None if texture is None else header["textures"][texture["index"]].get("source")
            if source is not None and not {"uri", "bufferView"} & header["images"][source].keys():
                pbr.pop("baseColorTexture")
                pbr.setdefault("baseColorFactor", list(GRAY))

    def get(self, name: str) -> bytes:
        """Return the bytes of a file of the data set."""
        return super().get(name) if isinstance(self.tree, Path) else (self.tree / name).read_bytes()

    def namespaced(self, namespace: str) -> FolderResolver:
        """Return the same files: names are given from the root."""
        return self
