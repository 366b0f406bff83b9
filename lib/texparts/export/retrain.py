"""Close the loop: train the model that made the predictions on with their reviewed results.

Every arm trains the same model for the same steps on the same number of shapes; only some of the shapes
differ. An epoch sees new shapes several times: there are few of them, and the model knows the old ones.
``python -m texparts.export.retrain ARM`` trains one item of the pipeline's matrix.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.core.config import Params, TrainParams, load_params
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import forget_progress
from alignparts.corpus.index import Corpus
from alignparts.corpus.ingest import Source, ingest
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.comparison import Claim, paired_table, readable
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes, taking_turns
from alignparts.evaluation.methods import Given, finished, folder_of, run_item
from alignparts.evaluation.scoring import frame, score, score_rows
from alignparts.features.extract import Encoders, extract_corpus
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.model.train import train
from alignparts.ontology.vocabulary import Vocabulary
from texparts.export.export import INDEX

ARMS = ("continued", "predicted", "reviewed")
"""Arms: old training shapes alone; the model's predictions as they are; the same after review."""
EXPORTS = {"predicted": "unreviewed", "reviewed": "dataset"}
"""Folders under ``data/texparts`` of the exported data sets that arms take their new shapes from."""
LABELS = {
    "before": "before",
    "continued": "trained on, no new shapes",
    "predicted": "new shapes, as predicted",
    "reviewed": "new shapes, reviewed",
}
"""Names in tables of the model that made the predictions, and of those trained on."""
SEEN, UNSEEN, NAMED = "seen", "unseen", "unseen, names given"
"""Test sets: categories of the first training; categories that only the new shapes have, named from the whole
vocabulary or from their own part names."""


def arm_folder(models: Path, arm: str) -> Path:
    """Return the folder of an arm's model; raises AlignPartsError if there is no such arm."""
    if arm != "before" and arm not in ARMS:
        raise AlignPartsError(f"arm '{arm}': expected before, {', '.join(ARMS)}")
    return models / "alignparts" if arm == "before" else folder_of(models, "retrained", arm)


def retrain(arm: str, loop: Stage) -> None:
    """Train the model on with an arm's shapes, filled up with old ones; it goes to :func:`arm_folder`.

    Raises:
        AlignPartsError: no such arm; the export is missing or holds too many shapes.
    """
    out = arm_folder(loop.models, arm)
    with tempfile.TemporaryDirectory(prefix="retrain-") as temporary:
        new = None
        if arm in EXPORTS:
            new = export_features(loop.data / "texparts" / EXPORTS[arm], Path(temporary), loop)
        ids = [] if new is None else new.ids()
        wanted = loop.params.retrain.shapes
        repeated = ids * loop.params.retrain.copies
        if len(repeated) > wanted:
            raise AlignPartsError(
                f"retrain.shapes: {wanted}, but the export holds {len(ids)} shapes, which an epoch sees "
                f"{loop.params.retrain.copies} times; raise it, or lower retrain.copies"
            )
        old = loop.store
        again = taking_turns(old, "train", wanted - len(repeated), loop.params.base.seed)
        store = old if new is None else FeatureStore.joined([old, new])
        train(
            store, loop.vocabulary, loop.encode, settings_of(loop.params), out,
            seed=loop.params.base.seed, statistics=False,
            ids={"train": [*repeated, *again], "validation": []},
            start=AlignParts.from_pretrained(str(loop.models / "alignparts")).eval(),
        )  # fmt: skip
    forget_progress(out)


def retrain_missing(loop: Stage) -> None:
    """Train every arm that is missing."""
    for arm in ARMS:
        finished(arm_folder(loop.models, arm), "retrain", partial(retrain, arm, loop))


def export_features(export: Path, work: Path, loop: Stage) -> FeatureStore | None:
    """Read an exported data set back, as anybody would read it; returns the features of its shapes.

    Objects of categories that the vocabulary lacks are left out, and told on stderr: they have no text to
    train on. None means that no object with a part is left. Corpus and store go to ``work``. A missing
    export raises AlignPartsError.
    """
    if not (export / "objects").is_dir():
        raise AlignPartsError(f"{export}: no exported data set; run: dvc repro texparts")
    if not pd.read_parquet(export / INDEX)["parts"].sum():
        return None
    everything = load_params().corpus.model_copy(update={
        "split": "paper", "test_per_category": 0, "find3d_test": 0, "heldout": (), "validation_fraction": 0.0,
    })  # fmt: skip
    base = loop.params.base
    read = ingest(
        [Source(export / "objects", "labeled_mesh")], work / "corpus", everything, seed=base.seed,
        workers=base.workers, scheduler=base.scheduler, keep_duplicates=True,
    )  # fmt: skip
    corpus = known_alone(Corpus(read.corpus.root), loop.vocabulary)
    if not len(corpus):
        return None
    encoders = Encoders.from_params(loop.params.features, loop.models)
    return extract_corpus(corpus, loop.vocabulary, encoders, loop.params, work / "features")


def known_alone(corpus: Corpus, vocabulary: Vocabulary) -> Corpus:
    """Leave out of a corpus, in memory, the categories that the vocabulary lacks; name them on stderr."""
    known = corpus.index["category"].map(vocabulary.has).astype(bool)
    if not known.all():
        lacking = ", ".join(sorted({*corpus.index["category"][~known]}))
        print(
            f"{(~known).sum()} of {len(known)} objects left out, not in the vocabulary: {lacking}",
            file=sys.stderr,
        )
    corpus.index = corpus.index[known]
    return corpus


def settings_of(params: Params) -> TrainParams:
    """Return the block ``train`` with the same sizes, for at least ``retrain.steps`` steps."""
    steps = ceil(params.retrain.shapes / params.train.batch_size)
    return params.train.over({"epochs": ceil(params.retrain.steps / steps), "lr": params.retrain.lr})


def gain_scores(loop: Stage, arms: Sequence[str] = ("before", *ARMS)) -> pd.DataFrame:
    """Score every arm on the test shapes of seen and of unseen categories.

    The category is not given: it is found among all of the vocabulary's (Eq. 16), the unseen ones included.
    In the test set :data:`NAMED` the part names are given instead.

    Returns:
        Table with :data:`comparison.COLUMNS`; the metric ``category`` is 1 where the category is right.
    """
    settings, seed = loop.params.evaluate, loop.params.base.seed
    shapes = list(labeled_shapes(loop.store, ["test", "heldout"], settings.points, seed))
    vocabulary = loop.vocabulary
    rows = []
    for arm in arms:
        folder = finished(arm_folder(loop.models, arm), "retrain")
        model = Ours(AlignParts.from_pretrained(str(folder)).eval(), loop.encode, vocabulary)
        for shape in shapes:
            for test_set, values in _judged(model, shape).items():
                rows += score_rows(shape, LABELS[arm], values, seed, test_set=test_set)
    return frame(rows)


def claims() -> dict[str, list[Claim]]:
    """Return the loop's promises by test set: a gain in unseen categories, due to the review; no loss."""
    before, without, raw, reviewed = (LABELS[arm] for arm in ("before", *ARMS))
    gains = [
        Claim(reviewed, worse, metric) for metric in ("miou", "la_miou") for worse in (before, without, raw)
    ]
    kept = [Claim(reviewed, worse, "la_miou") for worse in (before, raw)]
    return {UNSEEN: gains, NAMED: gains, SEEN: kept}


def tested_claims(scores: pd.DataFrame, **bootstrap: Any) -> pd.DataFrame:
    """Test :func:`claims` on the table of :func:`gain_scores`; the metrics' names end in the test set."""
    tested = []
    for test_set, wanted in claims().items():
        table = readable(paired_table(scores, wanted, sets=(test_set,), **bootstrap))
        tested.append(table.assign(metric=table.metric + f", {test_set}"))
    return pd.concat(tested, ignore_index=True)


def _judged(model: Ours, shape: Labeled) -> Mapping[str, dict[str, float]]:
    """Score a shape, by test set."""
    prediction = model.predict(shape.arrays, Given())
    right = {"category": float(prediction.category == model.vocabulary.resolve_category(shape.category))}
    result = {UNSEEN if shape.heldout else SEEN: score(prediction, shape) | right}
    if shape.heldout:
        result[NAMED] = score(model.predict(shape.arrays, Given(names=tuple(shape.present))), shape)
    return result


def main() -> None:
    """Train one item of the matrix."""
    run_item("retrain", retrain, str)


if __name__ == "__main__":
    main()
