"""Open a work folder for review: its queue and its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import typer
from pydantic import ValidationError

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import Vocabulary
from texparts.review.models import QueueEntry
from texparts.review.store import ReviewStore

COLUMNS = ["object_id", "rank", "category", "confidence"]


def read_queue(root: Path, opinions: int = 1) -> list[QueueEntry]:
    """Return the objects of ``queue.parquet`` under a work folder, each with the number of opinions it needs.

    Objects without a folder are left out and named on stderr; a missing queue raises AlignPartsError.
    """
    path = root / "queue.parquet"
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; it is written by: texparts rank")
    try:
        rows = pd.read_parquet(path, columns=COLUMNS).to_dict("records")
        entries = [QueueEntry.model_validate({**row, "opinions": opinions}) for row in rows]
    except ValidationError as error:
        first = error.errors()[0]
        raise AlignPartsError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, ValueError, KeyError) as error:
        raise AlignPartsError(f"{path}: not a queue ({error}); expected the columns {COLUMNS}") from None
    present = [entry for entry in entries if (root / "objects" / entry.object_id / "about.json").is_file()]
    missing = sorted({entry.object_id for entry in entries} - {entry.object_id for entry in present})
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        typer.echo(f"left out, no folder in {root / 'objects'}: {', '.join(missing[:5])}{more}", err=True)
    return present


@contextmanager
def opened(
    root: Path, database: str | None, lease_seconds: float = 900.0, vocabulary: Vocabulary | None = None
) -> Iterator[ReviewStore]:
    """Open the review of a work folder, and close it when the block ends.

    Args:
        root: folder of ``objects/``.
        database: URL, or None for ``ROOT/../review/NAME_OF_ROOT.db``.
        lease_seconds: time without activity after which others may take an object over.
        vocabulary: names to choose from.

    Raises:
        AlignPartsError: the folder does not exist, or the URL is not supported.
    """
    if not root.is_dir():
        raise AlignPartsError(f"{root}: no such folder; expected one that holds objects/ and queue.parquet")
    root = root.resolve()
    # Not inside ROOT: the work of people must outlive a run that makes ROOT anew.
    url = database or f"sqlite:///{root.parent / 'review' / f'{root.name}.db'}"
    store = ReviewStore(url, root, lease_seconds, vocabulary=vocabulary)
    try:
        yield store
    finally:
        store.close()
