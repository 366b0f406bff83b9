"""Raw data sets → one corpus folder (section 3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.atomic import write_atomically
from alignparts.config import CorpusParams
from alignparts.corpus import readers
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.index import COLUMNS, Corpus, read_about, shape_file, write_shape
from alignparts.corpus.readers import Locator
from alignparts.corpus.splits import assign_splits, plain_name
from alignparts.errors import AlignPartsError
from alignparts.parallel import map_shapes


@dataclass(frozen=True)
class _Job:
    kind: str
    locator: Locator
    source: str
    out: Path
    texture_size: int


def ingest(
    sources: Sequence[Path | str],
    out: Path | str,
    params: CorpusParams,
    *,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    texture_size: int = 1024,
) -> Corpus:
    """Read every shape under the source folders into a corpus folder.

    Writes ``shapes/<shape_id>.glb`` (``.npz`` for clouds), ``index.parquet`` and ``report.csv``, which lists
    what was left out and why. A shape that cannot be read is left out and the run goes on; one that is
    in ``out`` already is not read again.

    Args:
        sources: folders of any mixture of data sets, see :func:`alignparts.corpus.readers.detect`.
        out: the corpus folder.
        params: for the splits.
        seed: of the splits.
        workers: processes.
        scheduler: address of a Dask scheduler.
        texture_size: longest side of a stored image in pixels.

    Raises:
        AlignPartsError: a source is missing, or not one shape could be read.
    """
    target = Path(out)
    jobs = _jobs([Path(source) for source in sources], target, texture_size)
    rows: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    results = map_shapes(_convert, jobs, workers=workers, scheduler=scheduler, description="ingest")
    for job, (row, reason) in zip(jobs, results, strict=True):
        if row is not None:
            rows.append(row)
        else:
            left_out.append(
                {"shape_id": job.locator.shape_id, "kind": job.kind, "source": job.source, "reason": reason}
            )
    target.mkdir(parents=True, exist_ok=True)
    report = pd.DataFrame(left_out, columns=["shape_id", "kind", "source", "reason"])
    write_atomically(target / "report.csv", lambda path: report.to_csv(path, index=False))
    if not rows:
        raise AlignPartsError(
            f"{', '.join(map(str, sources))}: no shape could be read; see {target}/report.csv"
        )
    index = pd.DataFrame(rows)
    index["split"] = assign_splits(index, params, load_dialects().heldout(params.heldout), seed)
    index = index[[*COLUMNS, "model", "parts", "instances", "faces"]].sort_values(
        "shape_id", ignore_index=True
    )
    write_atomically(target / "index.parquet", lambda path: index.to_parquet(path, index=False))
    return Corpus(target)


def _jobs(sources: list[Path], target: Path, texture_size: int) -> list[_Job]:
    jobs: list[_Job] = []
    taken: set[str] = set()
    for top in sources:
        for kind, locator in readers.detect(top):
            shape_id, times = locator.shape_id, 1
            while shape_id in taken:
                times += 1
                shape_id = f"{locator.shape_id}.{times}"
            taken.add(shape_id)
            path = locator.path
            inside = path.relative_to(top) if path != top and path.is_relative_to(top) else Path(path.name)
            source = str(Path(top.name) / inside)
            jobs.append(_Job(kind, replace(locator, shape_id=shape_id), source, target, texture_size))
    return jobs


def _convert(job: _Job) -> tuple[dict[str, Any] | None, str]:
    """The row of a shape, or why there is none."""
    shape_id = job.locator.shape_id
    try:
        try:
            about = read_about(shape_file(job.out, shape_id))
        except AlignPartsError:
            shape = replace(readers.read(job.kind, job.locator), shape_id=shape_id)
            if job.kind != "corpus":
                shape = replace(shape, source=job.source)
            about = read_about(write_shape(job.out / "shapes", shape, texture_size=job.texture_size))
        model = readers.model_of(job.kind, job.locator)
    except AlignPartsError as error:
        return None, str(error)
    except Exception as error:
        # One broken file among thousands must not end the run; its reason goes into the report.
        return None, f"{job.locator.path}: {type(error).__name__}: {error}"
    return {
        "shape_id": shape_id,
        "dataset": about["dataset"],
        "category": plain_name(about["category"]),
        "licence": about["licence"],
        "source": about["source"],
        "raw_category": about["category"],
        "model": model,
        "parts": len(set(about["instances"])),
        "instances": len(about["instances"]),
        "faces": about["faces"],
    }, ""
