"""dvc.yaml against the code: every module that a stage reaches lies under one of its deps."""

import ast
import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from alignparts.core import paths
from alignparts.core.run import PIPELINES

FILES = [yaml.safe_load(path.read_text())["stages"] for path in PIPELINES]
PIPELINE = {name: stage for file in FILES for name, stage in file.items()}
NOTEBOOKS = {name: stage for name, stage in PIPELINE.items() if stage["cmd"].startswith("python -m ")}
LIB = paths.ROOT / "lib"


def entry_points(cmd: str) -> list[Path]:
    """Return the files that a stage's command runs: a module, and the notebook twin that it executes."""
    module, *arguments = re.fullmatch(r"python -m (\S+)(.*)", cmd).group(1, 2)
    files = [LIB / f"{module.replace('.', '/')}.py"]
    if module == "alignparts.core.notebooks":
        files.append(paths.NOTEBOOKS / "py" / f"{arguments[0].strip()}.py")
    return files


@cache
def imports(path: Path) -> frozenset[Path]:
    """Return the files of this library that a file imports, at its top or within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    candidates = [LIB / name.replace(".", "/") for name in names]
    files = [file for at in candidates for file in (at.with_suffix(".py"), at / "__init__.py")]
    return frozenset(file for file in files if file.is_file())


def reached(paths_: list[Path]) -> set[Path]:
    seen: set[Path] = set()
    todo = list(paths_)
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(imports(path))
    return seen


def missing(stage: dict) -> list[str]:
    deps = [paths.ROOT / dep for dep in stage["deps"]]
    return sorted(
        str(path.relative_to(paths.ROOT))
        for path in reached(entry_points(stage["cmd"]))
        if path.name != "__init__.py" and not any(path == dep or dep in path.parents for dep in deps)
    )


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_stage_depends_on_all_that_it_imports(name):
    assert missing(PIPELINE[name]) == []


def test_a_removed_dependency_is_noticed():
    stage = PIPELINE["train"]
    (room,) = [dep for dep in stage["deps"] if dep.endswith("alignparts/model")]
    without = {**stage, "deps": [dep for dep in stage["deps"] if dep != room]}
    assert any(path.startswith(room) for path in missing(without))


def test_dependencies_and_parameters_are_there():
    outs = {next(iter(out)) if isinstance(out, dict) else out for s in PIPELINE.values() for out in s["outs"]}
    made = {re.sub(r"\$\{item\.\w+\}", "*", out) for out in outs}
    params = yaml.safe_load(paths.PARAMS.read_text())
    for stage in PIPELINE.values():
        for dep in stage["deps"]:
            covered = any(
                fnmatch(dep, out) or out.startswith(f"{dep}/") or dep.startswith(f"{out}/") for out in made
            )
            assert covered or (paths.ROOT / dep).exists() or dep.startswith("reports/metrics"), dep
        for key in stage.get("params", []):
            block = params
            for part in key.partition(".${")[0].split("."):
                block = block[part]


def test_dvc_finds_both_pipelines():
    """A pattern of .gitignore that takes data/open for ignored would hide the second from DVC."""
    found = {stage.name for stage in Repo(str(paths.ROOT)).index.stages}
    assert set(FILES[1]) <= found and {"corpus", "report"} <= found
