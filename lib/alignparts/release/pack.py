"""Pack a trained release model into the folder that ships with the package (``make release``)."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from string import Template

import numpy as np
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from alignparts.core import paths
from alignparts.core.atomic import write_atomically, write_text
from alignparts.core.config.loading import load_block
from alignparts.core.config.release import ReleaseParams
from alignparts.corpus.geometry import NAMES, read_names
from alignparts.corpus.open_set import MANIFEST, read_manifest
from alignparts.corpus.sources import open_splits
from alignparts.evaluation.calibration import calibrate
from alignparts.evaluation.ground_truth import taking_turns
from alignparts.evaluation.scored_parts import PartScorer
from alignparts.model.stage import Stage
from alignparts.model.texts import Encode
from alignparts.naming.confidence import CALIBRATION, Calibration
from alignparts.naming.pipeline import Manifest, write_manifest
from alignparts.ontology.text import TEXTS, StoredTexts
from alignparts.ontology.vocabulary import Vocabulary
from alignparts.release.train import HISTORY, folder_of
from alignparts.release.unlabeled import unlabeled_of
from procparts import CATEGORIES

WEIGHTS, SUMS, CARD = "model.safetensors", "SHA256SUMS", "README.md"
PACKED = "packed"
"""Folder of packed weights that do not ship, below the model's."""
TEMPLATE = Path(__file__).with_name("card.md")


def pack(
    folder: Path,
    out: Path,
    encode: Encode,
    text_encoder: str,
    *,
    points: int,
    calibration: Calibration,
    about: Mapping[str, object],
) -> None:
    """Write a model's weights in half precision, texts, calibration, settings, card and checksums.

    Args:
        folder: model folder, with ``vocabulary.json``.
        out: folder to write.
        encode: function from texts to embeddings of length 1.
        text_encoder: name of that encoder.
        points: surface samples per mesh.
        calibration: confidences of the model.
        about: values of card.md besides the number of weights.
    """
    half = {name: value.half() for name, value in load_file(folder / WEIGHTS).items()}
    content = to_bytes(half, {"format": "pt"})
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / WEIGHTS, lambda path: path.write_bytes(content))
    for name in ("config.json", HISTORY):
        write_text(out / name, (folder / name).read_text())
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    settings = Manifest(
        geometry="", appearance="", text_encoder=text_encoder, calibration=CALIBRATION, points=points
    )
    write_manifest(out, settings, folder / "vocabulary.json")
    StoredTexts.save(out / TEXTS, texts_of(vocabulary), encode, text_encoder, np.float16)
    calibration.save(out / CALIBRATION)
    weights = f"{sum(value.numel() for value in half.values()) / 1e6:.1f} million"
    write_text(out / CARD, Template(TEMPLATE.read_text()).substitute(about, weights=weights))
    names = sorted(path.name for path in out.iterdir() if path.name not in (SUMS, CARD))
    sums = [f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}" for name in names]
    write_text(out / SUMS, "\n".join(sums) + "\n")


def texts_of(vocabulary: Vocabulary) -> list[str]:
    """Return all texts that the closed vocabulary asks a text encoder for."""
    return [texts[0] for category in vocabulary.categories for texts in vocabulary.texts(category)]


def calibrated(folder: Path, stage: Stage) -> Calibration:
    """Return confidences and a promise, fitted as chapter 10 fits those of the paper's model.

    The evidence is fitted to training shapes of the embedded corpus, the promise to its validation shapes.
    """
    chosen, seed = stage.params.confidence, stage.params.base.seed
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    scorer = PartScorer.load(folder, stage.encode, vocabulary, "patches")
    known = taking_turns(stage.store, "train", chosen.training, seed)
    points = stage.params.evaluate.points
    training = scorer.corpus(stage.store, ["train"], points, seed, known)
    validation = scorer.corpus(stage.store, ["validation"], points, seed)
    base, (promise,) = calibrate(
        training, validation, errors=[chosen.error], certainty=chosen.certainty, seed=seed
    )
    return base.model_copy(update={"promise": promise})


def facts(stage: Stage, release: ReleaseParams) -> dict[str, object]:
    """Return values of card.md: settings and data of the training."""
    params = stage.params
    folder, heldout = paths.DATA / "open", params.corpus.heldout
    located, index = open_splits(folder, params.reality, params.base.seed)
    train = set(index.pack[index.split == "train"])
    shapes = [shape for shape in read_manifest(folder / MANIFEST) if shape.pack in train]
    by = Counter((shape.attribution.partition(";")[0], shape.license) for shape in shapes)
    authors = [f"{count} by {author} ({terms})" for (author, terms), count in by.most_common()]
    return {
        "seed": params.base.seed, "steps": f"{release.steps:,}",
        "shapes": f"{release.steps * release.batch_size:,}", "share": f"{release.real_share:.0%}",
        "categories": len(set(CATEGORIES) - set(heldout)), "all": len(CATEGORIES), "real": len(shapes),
        "authors": ", ".join(authors), "unlabeled": unlabeled_of(located, index).count,
        "heldout": ", ".join(heldout),
        "named": sum(mesh.category not in heldout for mesh in read_names(folder / NAMES)),
    }  # fmt: skip


def main() -> None:
    """Pack ``models/release`` into the package; research-only weights stay in their own folder."""
    stage = Stage.start()
    params, release = stage.params, load_block(paths.PROFILES / "release.yaml", ReleaseParams)
    folder = folder_of(stage.models, release)
    out = paths.RELEASE if release.research is None else folder / PACKED
    pack(
        folder, out, stage.encode, params.ontology.text_encoder, points=params.evaluate.points,
        calibration=calibrated(folder, stage), about=facts(stage, release),
    )  # fmt: skip


if __name__ == "__main__":
    main()
