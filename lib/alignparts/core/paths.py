"""Folders of the project as absolute paths, so that notebooks run from anywhere."""

import os
from pathlib import Path

# The checkout: an editable install keeps lib/ three levels above this file.
ROOT = Path(os.environ.get("ALIGNPARTS_ROOT", Path(__file__).resolve().parents[3]))
PARAMS = ROOT / "params.yaml"  # settings of the pipeline
PROFILES = ROOT / "profiles"  # alternatives with the same keys
DATA = ROOT / "data"  # made by the pipeline or given to it
MODELS = ROOT / "models"  # checkpoints: one folder each, safetensors and config.json
REPORTS = ROOT / "reports"  # tables, figures, metrics and executed notebooks are in git, the site is not
TIMINGS = REPORTS / "timings"
NOTEBOOKS = ROOT / "notebooks"
# Prompts, recorded language-model replies and the paper's numbers, which ship with the package.
RESOURCES = Path(__file__).resolve().parents[1] / "resources"
RELEASE = RESOURCES / "release"  # the release model
DEMO = RESOURCES / "demo"  # sample meshes
