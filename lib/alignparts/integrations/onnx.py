"""Export to ONNX, checked in onnxruntime against torch before the file is there."""

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.integrations.frozen import PortableFrozen
from alignparts.integrations.learned import PortableLearned
from alignparts.model.alignparts import AlignParts, AlignPartsOutput
from alignparts.model.backbone.learned import LearnedAlignParts, Model
from alignparts.model.graph import nearest_neighbors

TOLERANCE = 1e-4
"""Largest difference of an output from torch's, relative to the largest value of that output."""
COUNTS = (130, 1000)
"""Numbers of points that the check is run at; the export sees another."""
TRACED = 300
LEAST, MOST = 16, 2**20
"""Numbers of points that the file takes."""


def export_onnx(model: Model, out: Path, about: Mapping[str, str]) -> float:
    """Write a model for one shape with any number of points; return the largest relative difference.

    Inputs are the arguments of the model's ``forward``, each with a batch of 1: a learned backbone's points,
    normals and colors, in a pose of :func:`alignparts.model.backbone.pose.posed`; or points, geometry,
    appearance and, with BiCo fusion, neighbors, which :func:`alignparts.model.graph.nearest` finds. Outputs
    are the fields of :class:`AlignPartsOutput`. The metadata is ``about``, the model's ``kind``, its class,
    and its ``config``, as JSON.

    Raises:
        AlignPartsError: packages are missing, or the file computes something else than the model.
    """
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]:
        raise AlignPartsError(f"{', '.join(missing)}: not installed; run: pip install 'alignparts[onnx]'")
    model = model.eval()
    portable = PortableLearned(model) if isinstance(model, LearnedAlignParts) else PortableFrozen(model)
    given, names = example(model, TRACED), [field.name for field in fields(AlignPartsOutput)]
    count = torch.export.Dim("points", min=LEAST, max=MOST)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not there
    with torch.no_grad(), warnings.catch_warnings(action="ignore", category=FutureWarning):
        # That patches fill the rows is left to run time: it is beyond the solver.
        program = torch.export.export(
            portable, tuple(given.values()), dynamic_shapes=[{1: count}] * len(given),
            prefer_deferred_runtime_asserts_over_guards=True,
        )  # fmt: skip
        names = names[: len(portable(*given.values()))]
        onnx = torch.onnx.export(
            program, dynamo=True, input_names=list(given), output_names=names, verbose=False
        )  # fmt: skip
    assert onnx is not None
    config = json.dumps(asdict(model.config), sort_keys=True)
    onnx.model.metadata_props.update({**about, "kind": type(model).__name__, "config": config})
    worst = 0.0

    def write(temporary: Path) -> None:
        nonlocal worst
        onnx.save(temporary, external_data=False)
        worst = max(_difference(model, temporary, points) for points in COUNTS)
        if not worst <= TOLERANCE:
            raise AlignPartsError(
                f"{out}: not written: outputs differ from torch's by {worst:.1e}, relatively"
            )

    write_atomically(out, write)
    return worst


def example(model: Model, points: int) -> dict[str, Tensor]:
    """Return random inputs of a model in the model frame, by name, the same every time."""
    random = torch.Generator().manual_seed(points)
    given = {name: torch.randn(1, points, width, generator=random) for name, width in model.inputs.items()}
    given["points"] = torch.rand(1, points, 3, generator=random) * 2 - 1
    if isinstance(model, AlignParts):
        for name in ("geometry", "appearance"):
            given[name] = given[name] * model.get_buffer(f"{name}_std") + model.get_buffer(f"{name}_mean")
        if model.config.fusion == "bico":
            given["neighbors"] = nearest_neighbors(given["points"], model.config.k)
    else:
        given["normals"] = torch.nn.functional.normalize(given["normals"], dim=-1)
        given["colors"] = given["colors"].sigmoid()
    return given


@torch.no_grad()
def _difference(model: Model, path: Path, points: int) -> float:
    """Return the largest relative difference of an output from torch's."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = example(model, points)
    expected: Any = model(**given)
    names = [output.name for output in session.get_outputs()]
    found = session.run(names, {name: value.numpy() for name, value in given.items()})
    pairs = [
        (array, getattr(expected, name).numpy()) for name, array in zip(names, found, strict=True)
    ]  # fmt: skip
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)
