"""Places of the project: one absolute constant per folder, so that notebooks run from anywhere."""

import os
from pathlib import Path

# The checkout: an editable install keeps lib/ three levels above this file.
ROOT = Path(os.environ.get("ALIGNPARTS_ROOT", Path(__file__).resolve().parents[3]))

# The settings of the pipeline, and other settings of the same keys.
PARAMS = ROOT / "params.yaml"
PROFILES = ROOT / "profiles"

# Made by the pipeline, or given to it.
DATA = ROOT / "data"

# Checkpoints: one folder each, safetensors and config.json.
MODELS = ROOT / "models"

# Tables, figures, metrics and executed notebooks are in git, the site is not.
REPORTS = ROOT / "reports"
TIMINGS = REPORTS / "timings"
NOTEBOOKS = ROOT / "notebooks"

# Recorded language-model replies and other text that ships with the package.
RESOURCES = Path(__file__).resolve().parents[1] / "resources"
