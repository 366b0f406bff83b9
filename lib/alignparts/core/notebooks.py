"""Execute notebooks from their text twins.

``notebooks/py/NN_name.py`` (jupytext percent format) is the text that people edit and that DVC depends on.
``notebooks/NN_name.ipynb`` is the same text with the outputs of a run at smoke size, which nbval checks;
``reports/notebooks/NN_name.ipynb`` has those of the pipeline.

    python -m alignparts.core.notebooks 05_evaluate   # one stage of the pipeline
    python -m alignparts.core.notebooks --smoke       # all notebooks at smoke size, from an empty build
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alignparts.core import ledger, paths
from alignparts.core.atomic import write_text
from alignparts.core.run import FULL

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
TWINS = paths.NOTEBOOKS / "py"


def names() -> list[str]:
    """Return the stems of the notebooks in the order of the pipeline, which is that of their numbers."""
    return sorted(path.stem for path in TWINS.glob("*.py"))


def read_twin(name: str) -> Any:
    """Return the notebook, without outputs, of a text twin."""
    import jupytext
    import nbformat

    notebook = jupytext.read(TWINS / f"{name}.py")
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def execute(name: str, full: bool = True) -> Path:
    """Run a notebook with params.yaml, or else at smoke size, and return the path of the executed file.

    The file has no time stamps, progress bars and random cell ids.
    """
    import nbformat
    import papermill
    from traitlets.config import Config

    folder = paths.REPORTS / "notebooks" if full else paths.NOTEBOOKS
    raw = folder / f"{name}.running.ipynb"
    write_text(raw, nbformat.writes(read_twin(name)))
    parameters = {"profile": FULL} if full else {}
    try:
        # On ports, what a kernel prints would be there for every user of the machine.
        with tempfile.TemporaryDirectory() as private:
            sockets = {"transport": "ipc", "connection_file": f"{private}/kernel.json"}
            papermill.execute_notebook(
                raw, raw, parameters=parameters, cwd=paths.ROOT, progress_bar=False, log_output=True,
                config=Config(KernelManager=sockets),
            )  # fmt: skip
        notebook = normalized(json.loads(raw.read_text()))
    finally:
        raw.unlink()
    target = folder / f"{name}.ipynb"
    write_text(target, json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return target


def normalized(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without what differs between two runs of the same code."""
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        tags = cell.get("metadata", {}).get("tags")
        clean = {key: cell[key] for key in ("cell_type", "source", "execution_count") if key in cell}
        clean |= {"id": f"cell-{number}", "metadata": {"tags": tags} if tags else {}}
        if cell["cell_type"] == "code":
            clean["outputs"] = [
                {key: value for key, value in output.items() if key != "transient"}
                for output in cell.get("outputs", [])
                if output.get("name") != "stderr"
            ]
        cells.append(clean)
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def main(arguments: Sequence[str]) -> None:
    """Run the notebooks that the arguments name; with ``--smoke`` and no name, all of them."""
    smoke = "--smoke" in arguments
    chosen = [argument for argument in arguments if argument != "--smoke"]
    if smoke and not chosen:
        shutil.rmtree(paths.ROOT / "build" / "smoke", ignore_errors=True)
        chosen = names()
    for name in chosen:
        print(f"{name}: running {'at smoke size' if smoke else 'with params.yaml'}", flush=True)
        if smoke:
            execute(name, full=False)
        else:
            with ledger.record(name):
                execute(name)


if __name__ == "__main__":
    main(sys.argv[1:])
