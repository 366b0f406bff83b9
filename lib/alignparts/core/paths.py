"""Where things lie. One absolute constant a folder, so that notebooks run from anywhere."""

import os
from pathlib import Path

# The checkout: an editable install keeps lib/ two levels under it.
ROOT = Path(os.environ.get("ALIGNPARTS_ROOT", Path(__file__).resolve().parents[3]))

# What the pipeline makes or is given.
DATA = ROOT / "data"

# Checkpoints: a folder each, safetensors + config.json.
MODELS = ROOT / "models"

# Tables, figures and metrics are in git; notebooks and site are DVC's.
REPORTS = ROOT / "reports"
TABLES = REPORTS / "tables"
FIGURES = REPORTS / "figures"
METRICS = REPORTS / "metrics"
TIMINGS = REPORTS / "timings"
NOTEBOOKS = ROOT / "notebooks"

# Recorded language-model replies and other text that ships with the package.
RESOURCES = Path(__file__).resolve().parents[1] / "resources"
