"""Notebooks from their text twins, and the check that the two agree.

``notebooks/py/NN_name.py`` (jupytext percent format) is what people edit, review and what DVC
depends on; ``notebooks/NN_name.ipynb`` is the same text with the outputs of a run at smoke size.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from alignparts.core import paths
from alignparts.core.atomic import write_text
from alignparts.core.run import normalized, read_twin

ORDER = (
    "01_corpus",
    "02_ontology",
    "03_features",
    "04_train",
    "05_evaluate",
    "07_ablations",
    "08_inference_modes",
    "09_generalization",
    "10_confidence",
    "11_texparts",
    "12_dataset",
    "13_loop",
    "14_tour",
    "15_report",
    "16_speed",
)
"""The order of the pipeline."""


def sources(notebook: dict[str, Any]) -> list[tuple[str, str]]:
    """(cell type, text) of every cell."""
    return [(cell["cell_type"], "".join(cell["source"]).strip()) for cell in notebook["cells"]]


def stale(names: Sequence[str] = ORDER) -> list[str]:
    """Names of the notebooks that lack, or differ from, what their twin says."""
    found = []
    for name in names:
        path = paths.NOTEBOOKS / f"{name}.ipynb"
        twin = read_twin(paths.NOTEBOOKS / "py" / f"{name}.py")
        if not path.is_file() or sources(json.loads(path.read_text())) != sources(twin):
            found.append(name)
    return found


def render(names: Sequence[str]) -> None:
    """Write and run the notebooks at smoke size, in the order of the pipeline."""
    import nbclient
    import nbformat

    for name in names:
        print(f"{name}: running at smoke size", flush=True)
        twin = read_twin(paths.NOTEBOOKS / "py" / f"{name}.py")
        notebook = nbformat.reads(json.dumps(twin), as_version=4)
        client = nbclient.NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=1200,
            resources={"metadata": {"path": str(paths.NOTEBOOKS)}},
        )
        client.execute()
        clean = normalized(json.loads(nbformat.writes(notebook)))
        write_text(paths.NOTEBOOKS / f"{name}.ipynb", json.dumps(clean, indent=1, ensure_ascii=False) + "\n")


def main(arguments: Sequence[str]) -> int:
    """``--check`` compares; names render those notebooks; nothing renders all from an empty build."""
    if "--check" in arguments:
        found = stale()
        for name in found:
            print(f"notebooks/{name}.ipynb differs from notebooks/py/{name}.py: run `make twins`")
        return 1 if found else 0
    if not arguments:
        shutil.rmtree(paths.ROOT / "build" / "smoke", ignore_errors=True)
    render(arguments or ORDER)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
