"""Execute notebooks from their text twins, and check that notebooks and twins agree.

``notebooks/py/NN_name.py`` (jupytext percent format) is what people edit and what DVC depends on.
``notebooks/NN_name.ipynb`` is the same text with the outputs of a run at smoke size, which nbval checks;
``reports/notebooks/NN_name.ipynb`` has those of the pipeline.

    python -m alignparts.core.notebooks 05_evaluate   # one stage of the pipeline
    python -m alignparts.core.notebooks --smoke       # all notebooks at smoke size, from an empty build
    python -m alignparts.core.notebooks --check
"""

import json
import shutil
import sys
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
    """Return the notebooks in the order of the pipeline, which is that of their numbers."""
    return sorted(path.stem for path in TWINS.glob("*.py"))


def execute(name: str, full: bool = True) -> Path:
    """Run the notebook of a twin through papermill and write it where its size belongs.

    Args:
        name: stem of the twin.
        full: with params.yaml, else at smoke size.

    Returns:
        The executed notebook, without time stamps, progress bars and random cell ids.
    """
    import nbformat
    import papermill

    folder = paths.REPORTS / "notebooks" if full else paths.NOTEBOOKS
    raw = folder / f"{name}.running.ipynb"
    write_text(raw, nbformat.writes(_read_twin(name)))
    try:
        papermill.execute_notebook(
            raw,
            raw,
            parameters={"profile": FULL} if full else {},
            cwd=paths.ROOT,
            progress_bar=False,
            log_output=True,
        )
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


def stale() -> list[str]:
    """Return the notebooks that are missing or differ from their twin."""
    import nbformat

    def sources(notebook: Any) -> list[tuple[str, str]]:
        return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]

    return [
        name
        for name in names()
        if not (path := paths.NOTEBOOKS / f"{name}.ipynb").is_file()
        or sources(nbformat.read(path, as_version=4)) != sources(_read_twin(name))
    ]


def _read_twin(name: str) -> Any:
    import jupytext
    import nbformat

    notebook = jupytext.read(TWINS / f"{name}.py")
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def main(arguments: Sequence[str]) -> int:
    """Run what the module's docstring lists; return the exit code."""
    smoke, check = "--smoke" in arguments, "--check" in arguments
    chosen = [argument for argument in arguments if not argument.startswith("--")]
    if check:
        differing = stale()
        for name in differing:
            print(f"notebooks/{name}.ipynb differs from notebooks/py/{name}.py: run `make notebooks`")
        return 1 if differing else 0
    if smoke and not chosen:
        shutil.rmtree(paths.ROOT / "build" / "smoke", ignore_errors=True)
    for name in chosen or (names() if smoke else []):
        print(f"{name}: running {'at smoke size' if smoke else 'with params.yaml'}", flush=True)
        if smoke:
            execute(name, full=False)
        else:
            with ledger.record(name):
                execute(name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
