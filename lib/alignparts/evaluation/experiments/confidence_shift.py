"""Judged parts where the promise of a calibration does not reach: unseen categories, noise, no texture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from alignparts.core.config import Params, parse_params
from alignparts.core.parallel import map_shapes
from alignparts.corpus.index import Corpus
from alignparts.evaluation.experiments.robustness import Cell, disturbed_shape
from alignparts.evaluation.scored_parts import Judge, Judged, concatenated
from alignparts.features.extract import Encoders
from alignparts.ontology.text import TextEncoder
from alignparts.ontology.vocabulary import Vocabulary

PLAIN: Cell = ("", 0.0)


def cells(params: Params) -> list[Cell]:
    """The shifts of params.yaml, and no disturbance at all."""
    noise = [("noise", strength) for strength in params.confidence.noise]
    return [PLAIN, *noise, ("texture", 1.0)]


def label_of(cell: Cell) -> str:
    """What tables call a disturbance."""
    kind, strength = cell
    return {"": "undisturbed", "texture": "no texture"}.get(kind, f"{kind} {strength:g}")


def disturbed_parts(
    ids: Sequence[str], params: Params, data: Path, models: Path, workers: int = 1, fill: bool = False
) -> dict[str, Judged]:
    """Judged parts of shapes under every one of :func:`cells`, by label.

    Args:
        ids: shapes of the corpus.
        params: all of params.yaml.
        data: with the corpus and the vocabulary.
        models: with the encoders and the model.
        workers: processes.
        fill: of :class:`alignparts.evaluation.scored_parts.Judge`.
    """
    settings = params.model_dump_json(by_alias=True)
    tasks = [_Task(shape_id, settings, str(data), str(models), fill) for shape_id in ids]
    found = list(map_shapes(_judge, tasks, workers=workers, description="disturbed shapes"))
    by_cell = zip(cells(params), zip(*found, strict=True), strict=True)
    return {
        label_of(cell): concatenated([one for one in judged if one is not None]) for cell, judged in by_cell
    }


@dataclass(frozen=True)
class _Task:
    shape_id: str
    params: str
    data: str
    models: str
    fill: bool


@dataclass(frozen=True)
class _Known:
    params: Params
    corpus: Corpus
    encoders: Encoders
    judge: Judge


def _judge(task: _Task) -> list[Judged | None]:
    known = _loaded(task.params, task.data, task.models, task.fill)
    shape, judge = known.corpus.load(task.shape_id), known.judge
    threads = torch.get_num_threads()
    # One thread a process: the processes share the cores, and the sums do not depend on their number.
    torch.set_num_threads(1)
    try:
        return [
            judge.judge(disturbed_shape(shape, cell, known.params, judge.vocabulary, known.encoders))
            for cell in cells(known.params)
        ]
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _loaded(settings: str, data: str, models: str, fill: bool) -> _Known:
    params = parse_params(json.loads(settings))
    vocabulary = Vocabulary.load(Path(data) / "ontology" / "vocabulary.json")
    encode = TextEncoder.from_name(params.ontology.text_encoder).encode
    return _Known(
        params, Corpus(Path(data) / "corpus"), Encoders.from_params(params.features, Path(models)),
        Judge.load(Path(models), encode, vocabulary, fill),
    )  # fmt: skip
