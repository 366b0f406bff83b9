# %% [markdown]
# # The release model
#
# `alignparts name` uses a model that ships with the package. A point transformer that learns (the paper's
# future work) takes the place of the two frozen encoders and their fusion; partlets, matching and losses
# stay. It sees every shape in four poses, a quarter apart, which are the same whichever way the shape was
# turned, and takes their mean. `make release` trains it on labeled shapes without end: generated ones, never
# the same twice, changed as real meshes differ from generated ones, and the train part of the open set. This
# chapter asks how well it names on the **embedded corpus**, whose held-out categories it has not seen;
# chapter 17 does so on real shapes, and Tables 2 and 3 have its rows as *learned backbone*.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
import hashlib

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

from alignparts.core import paths
from alignparts.core.run import start
from alignparts.evaluation import calibration, tables
from alignparts.evaluation.experiments import confidence
from alignparts.evaluation.ground_truth import taking_turns
from alignparts.evaluation.reliability import LABELS, Confidences, intervals
from alignparts.evaluation.scored_parts import PartScorer, concatenated
from alignparts.model.backbone.learned import load_model
from alignparts.model.stage import Stage
from alignparts.naming.confidence import CALIBRATION, Calibration
from alignparts.ontology.vocabulary import Vocabulary
from alignparts.report import confidence_plots

# %% [markdown]
# ## What ships
#
# Weights in half precision, the vocabulary with the embeddings of its texts (so that the closed vocabulary
# needs no text encoder), and the confidence. The checksums are those of the files.

# %%
run = start("release", profile)
model = load_model(paths.RELEASE)
sums = dict(reversed(line.split()) for line in (paths.RELEASE / "SHA256SUMS").read_text().splitlines())
for name, value in sums.items():
    assert hashlib.sha256((paths.RELEASE / name).read_bytes()).hexdigest() == value, name
size = sum((paths.RELEASE / name).stat().st_size for name in sums) / 2**20
vocabulary = Vocabulary.load(paths.RELEASE / "vocabulary.json")
assert size < 25
print(f"{sum(p.numel() for p in model.parameters()):,} weights, {size:.1f} MiB in all")
categories = vocabulary.categories
print(f"{len(categories)} categories, {sum(len(vocabulary.parts(name)) for name in categories)} parts")

# %% [markdown]
# ## Its training
#
# Losses over the shapes that training drew, and on 64 fresh, unchanged ones after every 250 steps.

# %%
history = pd.read_csv(paths.RELEASE / "history.csv").set_index("step")
figure, axes = plt.subplots(1, 3, figsize=(12, 3), constrained_layout=True)
for axis, loss in zip(axes, ("total", "mask", "text"), strict=True):
    history[[f"train/{loss}", f"validation/{loss}"]].plot(ax=axis, title=loss)
run.figure(figure, "training")
plt.close(figure)
figure

# %% [markdown]
# ## Right and wrong names
#
# Nothing but the shape is given: the model chooses among all categories of its vocabulary, then names the
# parts of the mesh-aware labels.

# %% tags=["nbval-ignore-output"]
chosen, settings, seed = run.params.confidence, run.params.evaluate, run.params.base.seed
stage = Stage(run.params, run.data, run.models)
scorer = PartScorer.load(paths.RELEASE, stage.encode, vocabulary, "patches")
look = {"points": settings.points, "seed": seed}
known = taking_turns(stage.store, "train", chosen.training, seed)
training = scorer.corpus(stage.store, ["train"], ids=known, **look)
validation, test, unseen = (
    scorer.corpus(stage.store, [split], **look) for split in ("validation", "test", "heldout")
)
names = confidence.naming_table({"validation": validation, "test": test, "unseen": unseen})
tables.write_table(run.folder, "release_names", names)
names

# %% [markdown]
# ## Confidence and promise
#
# As in chapter 10: the evidence is fitted to training shapes, the promise to validation shapes, and random
# halves of validation and test shapes tell if it is kept.

# %% tags=["nbval-ignore-output"]
shipped = Calibration.load(paths.RELEASE / CALIBRATION)
bootstrap = {"resamples": chosen.bootstrap, "confidence": settings.confidence, "seed": seed}
named = {name: Confidences.of(parts, parts.confidence(shipped)) for name, parts in
         {"test": test, "unseen": unseen}.items()}
rows = [
    tables.row(confidence.EVIDENCE, name, LABELS[metric], value)
    for name, values in named.items()
    for metric, value in intervals(values, **bootstrap).items()
]
table = tables.long_table(rows)
tables.write_table(run.folder, "release_confidence", table, tables.by_set(table))
errors = sorted({chosen.error, *chosen.errors})
wanted = {"errors": errors, "certainty": chosen.certainty, "seed": seed}
_, promises = calibration.calibrate(training, validation, **wanted)
checked = calibration.check(training, concatenated([validation, test]), splits=chosen.splits, **wanted)
kept = confidence.promise_table(checked, promises)
tables.write_table(run.folder, "release_promise", kept)
figure = confidence_plots.draw_reliability({confidence.EVIDENCE: named["test"]})
run.figure(figure, "reliability")
display(tables.by_set(table), kept)
figure

# %%
row = kept[kept["promised error"] == chosen.error].iloc[0]
run.check(row["mean error"] <= chosen.error, "the promise is kept on average")
right = {"test": test, "unseen": unseen}
run.metrics({
    **{f"{name}_wrong_names": round(float(1 - parts.right.mean()), 4) for name, parts in right.items()},
    "accepted_parts": float(row["accepted parts"]),
    "splits_kept": int(row["kept"]), "splits": int(row["splits"]),
})
