"""The paper's profile on a handful of shapes: prepares a clone so that `dvc repro` runs it in minutes.

``python tests/load/miniature.py CLONE [--partnet FOLDER]``, then ``dvc repro`` there. Shapes are generated in
the layouts of PartNet, 3DCoMPaT++ and Find3D, as sources of the kinds ``partnet``, ``compat``, ``find3d``;
annotations of a real PartNet folder are added. The encoders are tiny checkpoints of the public classes.
"""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from alignparts.core import paths
from alignparts.core.checkpoint import save_model
from alignparts.core.config import parse_params
from alignparts.core.config.corpus import CorpusParams
from alignparts.corpus.embedded import write_embedded
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.partfield import PartField, PartFieldConfig

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


def write_sources(raw: Path, params: CorpusParams, partnet: Path | None = None) -> None:
    """Write the three data sets' folders, of generated shapes and of real annotations of PartNet."""
    made = raw.parent / "miniature"
    write_embedded(made, params, 0)
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
