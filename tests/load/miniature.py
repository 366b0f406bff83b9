"""The paper's profile on a handful of shapes: prepares a clone so that `dvc repro` runs it in minutes.

``python tests/load/miniature.py CLONE [--partnet FOLDER]``, then ``dvc repro`` there. Shapes are generated in
the layouts of PartNet, 3DCoMPaT++, Find3D and PartObjaverse-Tiny, as sources of these kinds, and
annotations of a real PartNet folder are added. The encoders are tiny checkpoints of the public classes.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import yaml

from alignparts.core import paths
from alignparts.core.checkpoint import save_model
from alignparts.core.config import parse_params
from alignparts.core.config.corpus import CorpusParams
from alignparts.corpus.embedded import surface_of, write_embedded
from alignparts.corpus.mesh.glb import write_glb
from alignparts.corpus.mesh.surface import make_surface
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.partfield import PartField, PartFieldConfig
from procparts import CATEGORIES, generate

PAPER = {
    "corpus": ("sources", "split", "find3d_test", "test_fraction", "heldout"),
    "ontology": ("text_encoder", "threshold", "review_threshold", "llm", "llm_model"),
    "train": ("text_negatives", "class_negatives", "name_prompt_rate", "point_balance", "loss"),
    "comparison": ("methods",),
}
"""Keys that come from the paper's profile; the others are sizes, and come from the smoke profile."""


def settings() -> dict[str, Any]:
    """Return the blocks of the miniature."""
    small, paper = (
        yaml.safe_load((paths.PROFILES / f"{name}.yaml").read_text()) for name in ("smoke", "paper")
    )
    for block, keys in PAPER.items():
        small[block] |= {key: paper[block][key] for key in keys}
    small["features"]["geometry"]["checkpoint"] = paper["features"]["geometry"]["checkpoint"]
    small["features"]["appearance"]["checkpoint"] = "models/dinov2"
    return small


def write_partobjaverse(root: Path, groups: Sequence[str]) -> None:
    """Write two generated shapes per group in the layout of PartObjaverse-Tiny."""
    names: dict[str, dict[str, list[str]]] = {}
    for number, category in enumerate(sorted(CATEGORIES)[: 2 * len(groups)]):
        uid, rng = f"{number:032x}", np.random.default_rng(number)
        pieces = generate(category, rng, free_yaw=0.0)
        surface = surface_of(pieces)
        parts = sorted({piece.part for piece in pieces})
        labels = np.array([parts.index(piece.part) for piece in pieces])[surface.face_part]
        mesh = make_surface(surface.vertices, surface.faces)  # of one material: the faces keep their order
        write_glb(root / f"PartObjaverse-Tiny_mesh/{uid}.glb", mesh, [])
        labeled = root / f"PartObjaverse-Tiny_semantic_gt/{uid}.npy"
        labeled.parent.mkdir(parents=True, exist_ok=True)
        np.save(labeled, labels)
        names.setdefault(groups[number // 2], {})[uid] = parts
    (root / "PartObjaverse-Tiny_semantic.json").write_text(json.dumps(names))


def write_sources(raw: Path, params: CorpusParams, partnet: Path | None = None) -> None:
    """Write the data sets' folders, of generated shapes and of real annotations of PartNet."""
    made = raw.parent / "miniature"
    write_embedded(made, params.model_copy(update={"heldout": ()}), 0)
    write_partobjaverse(made / "partobjaverse", params.heldout)
    for source in params.sources:
        shutil.rmtree(raw / str(source.folder), ignore_errors=True)
        shutil.move(made / source.kind, raw / str(source.folder))
    shutil.rmtree(made)
    for annotation in sorted(partnet.iterdir()) if partnet else ():
        shutil.copytree(annotation, raw / "partnet/data" / annotation.name)
        with (raw / "partnet/stats/all_valid_anno_info.txt").open("a") as file:
            file.write(f"{annotation.name} 1 x x x\n")


def main(
    clone: Annotated[Path, typer.Argument(help="A clone of the project, whose params.yaml is replaced.")],
    partnet: Annotated[Path | None, typer.Option(help="Folder of real PartNet annotations.")] = None,
) -> None:
    """Prepare a clone: sources, checkpoints and params.yaml."""
    blocks = settings()
    write_sources(clone / "data/raw", parse_params(blocks).corpus, partnet)
    save_model(PartField(PartFieldConfig.small()), clone / "models/partfield")
    AppearanceEncoder.small(blocks["features"]["resolution"]).save_pretrained(clone / "models/dinov2")
    (clone / "params.yaml").write_text(yaml.safe_dump(blocks, sort_keys=False))


if __name__ == "__main__":
    typer.run(main)
