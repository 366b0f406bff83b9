"""The sources of params.yaml, read into one corpus (section 3.4)."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from alignparts.core import paths
from alignparts.core.config.corpus import CorpusParams, SourceParams
from alignparts.core.config.params import Base, RealityParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.embedded import write_embedded
from alignparts.corpus.ingest import Ingested, Source, ingest
from alignparts.corpus.readers import Locator, ReadOptions, scan
from alignparts.corpus.splits import by_source
from alignparts.corpus.writers.common import write_json

_STAMP = "stage.json"


class About(NamedTuple):
    """Data set in words: title, address of its form or download, layout of its folder."""

    title: str
    address: str
    layout: str


ABOUT = {
    "auto": About("data sets of any kind", "data/raw/README.md", "one folder per data set"),
    "partnet": About(
        "PartNet", "https://partnet.cs.stanford.edu",
        "data/<annotation>/ with result.json and objs/, beside the repository's stats/",
    ),
    "partnet_mobility": About(
        "PartNet-Mobility", "https://sapien.ucsd.edu/downloads", "<id>/ with result.json and textured_objs/"
    ),
    "compat": About(
        "3DCoMPaT++", "https://3dcompat-dataset.org",
        "its zip, or models/, styles/ and textures_map.json, with the repository's metadata/",
    ),
    "compat_hdf5": About(
        "3DCoMPaT++'s clouds", "https://3dcompat-dataset.org",
        "<split>_<level>.hdf5, with the repository's metadata/",
    ),
    "find3d": About(
        "Find3D's benchmark", "https://github.com/ziqi-ma/Find3D",
        "<group>/<class>_<uid>/ with points5000.pcd, labels.npy and label_map.json",
    ),
    "partobjaverse": About(
        "PartObjaverse-Tiny", "https://github.com/Pointcept/SAMPart3D",
        "PartObjaverse-Tiny_mesh/, PartObjaverse-Tiny_semantic_gt/ and PartObjaverse-Tiny_semantic.json",
    ),
    "texverse": About(
        "TexVerse", "https://github.com/yiboz2001/TexVerse", "glbs/glbs_1k/<bucket>/<id>_1024.glb"
    ),
    "named_glb": About(
        "GLBs with named nodes", "your own or an asset pack",
        "*.glb, and manifest.csv (path,category,license,pack)"
    ),
    "labeled_mesh": About(
        "labeled meshes", "your own", "<name>.glb, <name>.face_labels.npy and <name>.names.json"
    ),
    "open": About("the open test set", "alignparts fetch open", "manifest.csv and files/"),
    "corpus": About("a corpus", "alignparts ingest", "index.parquet and shapes/"),
}  # fmt: skip
"""Data sets by kind."""


def build_corpus(params: CorpusParams, base: Base, data: Path) -> Ingested:
    """Read all sources into ``data/corpus``; generated ones are written to ``data/embedded`` before.

    A killed run goes on where it was; a corpus of other sources, settings or readers is made anew.

    Raises:
        AlignPartsError: a folder is missing or empty, before anything is written; see also :func:`ingest`.
    """
    folders = _folders(params.sources)
    sources: list[Source] = []
    stamp = {"seed": base.seed, "sources": [x.model_dump() for x in params.sources], "code": _code()}
    for asked, folder in zip(params.sources, folders, strict=True):
        if folder is None:
            root = data / "embedded"
            trees = write_embedded(root, params, base.seed, workers=base.workers, scheduler=base.scheduler)
            sources += [Source(tree, tree.name) for tree in trees]
            stamp["embedded"] = json.loads((root / "embedded.json").read_text())
        else:
            options = ReadOptions(asked.tree, asked.level, asked.geometry, asked.granularity)
            sources.append(Source(folder, asked.kind, options, asked.limit, asked.share, asked.license))
    if not params.is_embedded:  # the folder is an output of the stage; what lies there is of other settings
        shutil.rmtree(data / "embedded", ignore_errors=True)
        (data / "embedded").mkdir(parents=True)
    out = data / "corpus"
    if out.is_dir() and not ((out / _STAMP).is_file() and json.loads((out / _STAMP).read_text()) == stamp):
        shutil.rmtree(out)
    write_json(out / _STAMP, stamp)
    return ingest(sources, out, params, seed=base.seed, workers=base.workers, scheduler=base.scheduler)


def _folders(sources: tuple[SourceParams, ...]) -> list[Path | None]:
    """Return the folder of every source, None for generated shapes; raise for all that are not there."""
    folders = [None if source.kind == "embedded" else _folder(source) for source in sources]
    absent = []
    for source, folder in zip(sources, folders, strict=True):
        if folder is not None and not (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
            title, address, layout = ABOUT[source.kind]
            state = "is empty" if folder.is_dir() else "no such folder"
            absent.append(f"{folder}: {state}: {title}; expected {layout}; get it from {address}")
    if folders.count(None) > 1:
        absent.append("kind embedded is given twice; expected once")
    if absent:
        raise AlignPartsError(f"params.yaml: corpus.sources: {' | '.join(absent)}")
    return folders


def _folder(source: SourceParams) -> Path:
    return paths.DATA / "raw" / Path(str(source.folder)).expanduser()


def _code() -> str:
    """Return a hash of the code that reads and stores shapes."""
    folder = Path(__file__).parent
    files = [
        folder / "index.py",
        folder / "shape.py",
        *folder.glob("readers/*.py"),
        *folder.glob("mesh/*.py"),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()


def open_splits(
    folder: Path, params: RealityParams, seed: int
) -> tuple[dict[str, tuple[str, Locator]], pd.DataFrame]:
    """Return what lies in the open test set, by id, and its split by pack: ``shape_id, pack, split``."""
    located = {locator.shape_id: (kind, locator) for kind, locator in scan(folder, "open")}
    index = pd.DataFrame({"shape_id": list(located), "pack": [at.pack for _, at in located.values()]})
    shares = {"test_fraction": params.test_fraction, "validation_fraction": params.validation_fraction}
    return located, index.assign(split=by_source(index, **shares, seed=seed))
