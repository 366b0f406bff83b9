# %% [markdown]
# # Statistics of an exported data set
#
# What is in a data set that `texparts export` wrote, how much work it was, and how far its
# annotators agree. Everything is read from the export's own files. Set `dataset` to a folder of your own;
# `texparts statistics DATASET --out FOLDER` writes the same tables and figures without a notebook.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml
dataset = None  # an export's folder; None: the one that the chapter on Tex-Parts makes

# %%
# %matplotlib inline
from pathlib import Path

from alignparts.core.run import start
from alignparts.evaluation import tables
from texparts.export import statistics, statistics_report

run = start("dataset", profile)
folder = Path(dataset) if dataset else run.data / "texparts" / "dataset"
found = statistics.read_dataset(folder)
bootstrap = {"resamples": run.params.evaluate.bootstrap, "seed": run.params.base.seed}
print("objects:", len(found.objects), "| rejected:", len(found.rejected))

# %% [markdown]
# ## In figures
#
# Means have a bootstrap interval over objects, medians their quartiles. Seconds are those of one opinion: an
# object that two people did is not slower for it. **Times faster** compares with the minutes that section 13
# of the paper states for an object without a model. In the project's own pipeline the annotators are
# simulated and so are their seconds; the chapter on Tex-Parts compares the same annotators with and without
# predictions, which is fairer.

# %%
# NBVAL_IGNORE_OUTPUT
summary = statistics.summary_table(found, **bootstrap)
tables.write_table(run.folder, "dataset", summary)
summary.round(3)

# %%
# Checked against the labels themselves: every face has a part of the tables, or none.
labeled = int((found.objects.faces - found.objects.unlabeled_faces).sum())
assert int(found.parts.faces.sum()) == labeled and len(found.parts) == int(found.objects.parts.sum())

# %% [markdown]
# ## Categories and parts

# %%
figure = statistics_report.draw_categories(found)
run.figure(figure, "dataset_categories")
figure

# %%
figure = statistics_report.draw_parts(found)
run.figure(figure, "dataset_parts")
figure

# %% [markdown]
# ## Work
#
# How long an object took, and who did it. Annotators have pseudonyms; **final** counts the objects whose
# exported labels are theirs.

# %%
figure = statistics_report.draw_seconds(found)
run.figure(figure, "dataset_seconds")
figure

# %%
# NBVAL_IGNORE_OUTPUT
annotators = statistics.annotator_table(found)
annotators

# %% [markdown]
# ## Terms and what was left out

# %%
# NBVAL_IGNORE_OUTPUT
licenses = statistics.license_table(found)
licenses

# %%
# NBVAL_IGNORE_OUTPUT
rejected = statistics.rejected_table(found)
rejected
