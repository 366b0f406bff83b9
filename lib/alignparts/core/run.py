"""Start a stage: its settings, its folders, and a process whose results are the same bytes every time.

A notebook's default profile is the smoke size (``profiles/smoke.yaml``), which writes under ``build/smoke``;
the pipeline passes the profile "params", which is params.yaml and writes data/, models/ and reports/.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from alignparts.core import paths
from alignparts.core.atomic import write_text
from alignparts.core.config import Params, load_params, restricted

PIPELINES = (paths.ROOT / "dvc.yaml", paths.DATA / "open" / "dvc.yaml")
FULL = "params"  # profile of the pipeline: params.yaml


@dataclass(frozen=True)
class Run:
    """Execution of a stage; `params` has only the settings that dvc.yaml lists for it."""

    stage: str
    params: Params
    data: Path
    models: Path  # folder of the checkpoints
    reports: Path  # folder of the results
    strict: bool = False  # whether a finding that fails is an error

    @property
    def folder(self) -> Path:
        """Return the folder of the stage's tables and figures."""
        return self.reports / self.stage

    def check(self, holds: bool, finding: str) -> None:
        """Raise AssertionError if a finding of the embedded corpus fails at full size; elsewhere say so.

        Models of the smoke size learn too little, and what real shapes show is for their readers to judge.
        """
        assert holds or not self.strict, finding
        if not holds:
            print(f"does not hold: {finding}")

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Write ``reports/metrics/<stage>.json``."""
        write_text(self.reports / "metrics" / f"{self.stage}.json", json.dumps(values, indent=2) + "\n")

    def figure(self, figure: Any, name: str) -> Path:
        """Save a matplotlib figure as ``reports/<stage>/<name>.png``, without a time stamp."""
        target = self.folder / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=110, bbox_inches="tight", metadata={"Software": None})
        return target


def start(stage: str, profile: str = FULL) -> Run:
    """Settle this process and return a stage's settings (all, if dvc.yaml lacks the stage) and folders.

    `profile` is the stem of a file in ``profiles/``, or "params" for params.yaml.

    Raises:
        AlignPartsError: no such profile, an unknown key or a value out of range.
    """
    full = profile == FULL
    params = load_params(paths.PARAMS if full else paths.PROFILES / f"{profile}.yaml")
    settle(params)
    listed = params_of_stage(stage)
    shown = restricted(params, listed) if listed else params
    root = paths.ROOT if full else paths.ROOT / "build" / profile
    strict = full and params.corpus.is_embedded
    return Run(stage, shown, root / "data", root / "models", root / "reports", strict)


def params_of_stage(stage: str) -> list[str]:
    """Return the keys that the pipelines list for a stage; none for a stage that they lack."""
    stages: dict[str, Any] = {}
    for path in PIPELINES:
        stages |= yaml.safe_load(path.read_text())["stages"]
    return list(stages.get(stage, {}).get("params", []))


def settle(params: Params) -> None:
    """Make this process repeatable: set seeds, threads and deterministic kernels."""
    # MKL otherwise picks code paths by memory alignment, which differs from run to run.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import random

    import numpy as np
    import torch

    random.seed(params.base.seed)
    np.random.seed(params.base.seed)
    torch.manual_seed(params.base.seed)
    torch.set_num_threads(params.base.threads)
    torch.set_deterministic_debug_mode("warn")  # as use_deterministic_algorithms, which imports the compiler
    # Otherwise every new tensor is first filled with NaN, which costs a pass over memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
