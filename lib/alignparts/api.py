"""Naming the parts of a mesh, from Python."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from alignparts.core import paths
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import InputMesh
from alignparts.naming.granularity import Detail
from alignparts.naming.pipeline import NamedMesh, NamedPartsPipeline
from alignparts.naming.prediction import Candidate, Labels


def name(
    mesh: InputMesh | str | Path,
    *,
    candidates: Sequence[Candidate | str] | None = None,
    query: Candidate | str | None = None,
    category: str | None = None,
    model: str | Path = paths.RELEASE,
    device: str = "cpu",
    labels: Labels = "patches",
    points: int | None = None,
    detail: Detail = "default",
    instances: bool = False,
) -> NamedMesh:
    """Name the parts of a mesh, as the command ``alignparts name`` does.

    Args:
        mesh: path of a GLB, glTF, OBJ, PLY, STL or OFF file, or a mesh that was read from one.
        candidates: names that the parts may get, such as ``["head", "arm"]``.
        query: a part to find, alone.
        category: category of the object whose names the parts get; without it the model finds one.
        model: folder of the trained model, which is loaded once per process and device.
        device: torch device, such as "cpu" or "cuda".
        labels, points, detail, instances: as :meth:`NamedPartsPipeline.name`.

    Returns:
        The named mesh: ``faces`` (int32, one per face, an index into ``names``, -1 unlabeled), ``names``
        (str, one per part), ``confidence`` (float64, one per part, 0..1), ``to_glb()`` (bytes) and
        ``save(folder)``, which writes what the command writes.

    Raises:
        AlignPartsError: an unreadable mesh, a folder without a model, an unknown category or device, an empty
            name, or more than one of candidates, query and category.
    """
    if sum(given is not None for given in (candidates, query, category)) > 1:
        raise AlignPartsError("candidates, query and category exclude each other; give one")
    return _pipeline(Path(model).resolve(), device).name(
        mesh, candidates=candidates, query=query, category=category, labels=labels, points=points,
        detail=detail, instances=instances,
    )  # fmt: skip


@cache
def _pipeline(model: Path, device: str) -> NamedPartsPipeline:
    return NamedPartsPipeline.from_pretrained(model, device)
