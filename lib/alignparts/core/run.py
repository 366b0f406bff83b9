"""How a notebook starts, and how the pipeline executes one.

A notebook's own defaults are the smoke size and write under build/smoke; the pipeline passes
``smoke=False`` and every block of params.yaml, and the notebook writes data/, models/, reports/.
"""

import ctypes
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignparts.core import ledger, paths
from alignparts.core.atomic import write_text
from alignparts.core.config import SMOKE, Params, parse_params

if TYPE_CHECKING:
    from alignparts.pictures.gallery import Row

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Run:
    """One execution of a stage: its parameters and where it reads and writes."""

    stage: str
    params: Params
    smoke: bool
    data: Path
    models: Path
    reports: Path

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Write ``reports/metrics/<stage>.json``."""
        write_text(self.reports / "metrics" / f"{self.stage}.json", json.dumps(values, indent=2) + "\n")

    def figure(self, figure: Any, name: str) -> Path:
        """Save a matplotlib figure as ``reports/figures/<name>.png``, without a time stamp."""
        target = self.reports / "figures" / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, dpi=110, bbox_inches="tight", metadata={"Software": None})
        return target

    def gallery(self, name: str, title: str, rows: Sequence["Row"]) -> Any:
        """Draw rows of shapes: ``reports/figures/<name>.png``, and in 3D ``reports/3d/<name>.html``."""
        from alignparts.pictures.gallery import panel_grid
        from alignparts.pictures.scene3d import write_scene

        figure = panel_grid(rows)
        self.figure(figure, name)
        write_scene(self.reports / "3d" / f"{name}.html", title, rows)
        return figure


def start(stage: str, params: Mapping[str, Any] | None = None, smoke: bool = True) -> Run:
    """Validate the parameters, seed and bound the libraries, and say where things lie.

    Args:
        stage: name of the DVC stage.
        params: every block of params.yaml; None takes the smoke size.
        smoke: write under build/smoke instead of data/, models/, reports/.

    Raises:
        AlignPartsError: an unknown key or a value out of range.
    """
    validated = parse_params(dict(params) if params is not None else SMOKE)
    settle(validated)
    _show_figures()
    if smoke:
        root = paths.ROOT / "build" / "smoke"
        return Run(stage, validated, True, root / "data", root / "models", root / "reports")
    return Run(stage, validated, False, paths.DATA, paths.MODELS, paths.REPORTS)


def settle(params: Params) -> None:
    """Make a process repeatable: seeds, threads, deterministic kernels."""
    # MKL otherwise picks code paths by memory alignment, which differs from run to run.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import random

    import numpy as np
    import torch

    _keep_memory()
    random.seed(params.base.seed)
    np.random.seed(params.base.seed)
    torch.manual_seed(params.base.seed)
    torch.set_num_threads(params.base.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Otherwise every new tensor is first filled with NaN, which costs a pass over memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _keep_memory() -> None:
    """Let glibc keep freed memory: a step asks for the same again, and new pages take up to a fifth of it."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError, TypeError):
        return  # another C library


def _show_figures() -> None:
    """In a notebook, figures go into its cells, whatever backend the environment asks for."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.run_line_magic("matplotlib", "inline")


def execute(name: str) -> None:
    """Run the notebook of the twin ``notebooks/py/<name>.py`` with params.yaml through papermill.

    The executed copy in reports/notebooks holds nothing that differs between two runs: no time
    stamps, no progress bars, numbered cell ids.
    """
    import dvc.api
    import papermill

    blocks = dvc.api.params_show(str(paths.ROOT / "params.yaml"))
    parse_params(blocks)
    target = paths.REPORTS / "notebooks" / f"{name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    raw = target.with_suffix(".running.ipynb")
    write_text(raw, json.dumps(read_twin(paths.NOTEBOOKS / "py" / f"{name}.py")))
    with ledger.record(name):
        papermill.execute_notebook(
            str(raw),
            str(raw),
            parameters={"smoke": False, "params": blocks},
            cwd=str(paths.ROOT),
            progress_bar=False,
            log_output=True,
        )
    notebook = json.loads(raw.read_text())
    write_text(target, json.dumps(normalized(notebook), indent=1, sort_keys=True) + "\n")
    raw.unlink()


def read_twin(twin: Path) -> dict[str, Any]:
    """The notebook that a text twin describes, without outputs."""
    import jupytext
    import nbformat

    notebook = jupytext.read(twin)
    notebook.metadata = nbformat.from_dict(KERNEL)
    return json.loads(nbformat.writes(notebook))


def normalized(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook without what differs between two runs of the same code."""
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        kept = {key: cell[key] for key in ("cell_type", "source", "execution_count") if key in cell}
        tags = cell.get("metadata", {}).get("tags")
        kept["metadata"] = {"tags": tags} if tags else {}
        kept["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            kept["outputs"] = [
                {key: value for key, value in output.items() if key != "transient"}
                for output in cell.get("outputs", [])
                if output.get("name") != "stderr"
            ]
        cells.append(kept)
    return {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    import sys

    execute(sys.argv[1])
