"""Folders of the project as absolute paths, so that notebooks run from anywhere."""

import os
from pathlib import Path

# The checkout: an editable install keeps lib/ three levels above this file.
ROOT = Path(os.environ.get("ALIGNPARTS_ROOT", Path(__file__).resolve().parents[3]))

# Settings of the pipeline, and alternatives with the same keys.
PARAMS = ROOT / "params.yaml"
PROFILES = ROOT / "profiles"

# Data that the pipeline makes or is given.
DATA = ROOT / "data"

# Checkpoints: one folder each, safetensors and config.json.
MODELS = ROOT / "models"

# Tables, figures, metrics and executed notebooks are in git, the site is not.
REPORTS = ROOT / "reports"
TIMINGS = REPORTS / "timings"
NOTEBOOKS = ROOT / "notebooks"

# Prompts, recorded language-model replies and the paper's numbers, which ship with the package.
RESOURCES = Path(__file__).resolve().parents[1] / "resources"
