"""The version stands in pyproject.toml; what has to repeat it agrees."""

import ast
import re
import tomllib

import yaml

from alignparts.core import paths

VERSION = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_newest_version_of_the_changelog_is_the_package_s():
    text = (paths.ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## \[(\d.*?)\]", text, re.MULTILINE)[0] == VERSION


def test_the_add_on_has_the_version():
    source = (paths.ROOT / "lib" / "alignparts" / "integrations" / "blender_alignparts.py").read_text()
    named = {
        node.targets[0].id: node.value for node in ast.parse(source).body if isinstance(node, ast.Assign)
    }
    assert ast.literal_eval(named["bl_info"])["version"] == tuple(map(int, VERSION.split(".")))


def test_the_citation_leaves_the_version_to_the_package():
    assert "version" not in yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
