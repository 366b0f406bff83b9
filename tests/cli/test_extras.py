"""The core alone names a mesh; whatever else a command needs, an extra brings, and the error names it."""

import ast
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from alignparts.cli import app
from alignparts.cli.entry import PACKAGES, extra_of, run
from alignparts.core import paths

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    extra: [Requirement(line) for line in lines if not line.startswith("alignparts[")]
    for extra, lines in PROJECT["optional-dependencies"].items()
}
CORE = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
METADATA = [
    f'{one.name}; {f"({one.marker}) and " if one.marker else ""}extra == "{extra}"'
    for extra, lines in EXTRAS.items()
    for one in lines
]
MODULES = {"pillow": "PIL", "pyyaml": "yaml", **{package: module for module, package in PACKAGES.items()}}


def module_of(package: str) -> str:
    return MODULES.get(package, package.replace("-", "_"))


def imported() -> set[str]:
    """Return all packages that the library imports anywhere but in recipes; Blender brings its own two."""
    own, found = {"alignparts", "texparts", "procparts", "bpy", "bmesh"}, set()
    for path in set((paths.ROOT / "lib").rglob("*.py")) - set((paths.ROOT / "lib").rglob("recipes/*")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - own - sys.stdlib_module_names


def brought(packages: set[str]) -> set[str]:
    """Return installed packages and all that they require."""
    found, todo = set(), [*packages]
    while todo:
        if (package := todo.pop()) not in found:
            found.add(package)
            lines = [Requirement(line) for line in metadata.requires(package) or ()]
            needed = [one for one in lines if one.marker is None or one.marker.evaluate({"extra": ""})]
            todo += [canonicalize_name(one.name) for one in needed]
    return found


def core_alone(*arguments) -> subprocess.CompletedProcess[str]:
    """Run ``alignparts`` where nothing can be imported that only extras bring."""
    extras = {canonicalize_name(one.name) for extra in EXTRAS.values() for one in extra}
    return python(CORE_ALONE, " ".join(map(module_of, extras - brought(CORE))), *arguments)


def python(code: str, *arguments) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_package_is_required_once():
    names = [canonicalize_name(one.name) for extra in EXTRAS.values() for one in extra]
    assert len(names) == len({*names}) and not CORE & {*names}


@pytest.mark.parametrize("module", sorted(imported()))
def test_what_the_library_imports_is_required_or_in_an_extra(module):
    assert module in {module_of(package) for package in CORE} or extra_of(module, METADATA)


def test_the_metadata_of_the_installed_package_says_the_same():
    for extra, lines in EXTRAS.items():
        for one in lines:
            assert extra_of(module_of(canonicalize_name(one.name)), METADATA) == extra, one
    assert extra_of("numpy", METADATA) is None and extra_of("no_such_package", METADATA) is None


def test_a_missing_extra_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["alignparts", "train"])
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "error: accelerate is not installed; run: pip install 'alignparts[pipeline]'\n"
    )


@pytest.mark.parametrize("module", ["no_such_package", "sklearn.no_such_module", "alignparts.no_such_module"])
def test_a_missing_module_that_no_extra_brings_is_a_fault_of_the_code(monkeypatch, module):
    broken = typer.Typer()
    broken.command()(lambda: __import__(module))
    monkeypatch.setattr(sys, "argv", ["broken"])
    with pytest.raises(ModuleNotFoundError):
        run(broken)


CORE_ALONE = """
import sys
from importlib.machinery import PathFinder

hidden = sys.argv.pop(1).split()

class Core(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Core
from alignparts.cli.app import main
main()
"""


def test_the_core_alone_names_the_samples(tmp_path):
    done = core_alone("name", "--demo", "--instances", "--detail", "fine", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "no pictures: matplotlib is not installed; run: pip install 'alignparts[pictures]'\n"
    )
    for category in ("chair", "lamp", "mug"):
        assert f"{category}.glb: {category}: " in done.stdout
        assert (tmp_path / category / f"{category}.parts.glb").is_file()
    shown = core_alone("view", tmp_path, "--no-open")
    assert shown.returncode == 0, shown.stderr


def test_own_words_ask_for_the_text_encoder(tmp_path):
    names = tmp_path / "names.yaml"
    names.write_text("- the lid that closes it\n- whatever holds it up\n")
    done = core_alone("name", "--demo", "--no-picture", "--vocabulary", names, "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("is not installed; run: pip install 'alignparts[text]'\n")
    assert done.stderr.count("\n") == 1


def test_help_loads_nothing_heavy():
    code = """
import sys
from alignparts.cli.app import main
sys.argv[1:] = ["name", "--help"]
try:
    main()
finally:
    print("heavy:", {"torch", "scipy", "trimesh", "huggingface_hub"} & sys.modules.keys())
"""
    done = python(code)
    assert "--demo" in done.stdout and done.stdout.endswith("heavy: set()\n"), done.stderr
