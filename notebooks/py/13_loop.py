# %% [markdown]
# # The loop closed: what training on the reviewed data set gains
#
# Train, bootstrap, review, retrain (section 13): the model that made the predictions under review is trained
# on with the data set that came of their review, read back by `alignparts ingest` as anybody would. Beside it
# two models that had the same steps on as many shapes: with old training shapes alone, and with the same new
# shapes as they were **predicted**, which nobody reviewed. An epoch sees every new shape `retrain.copies`
# times. The new shapes hold some of **unseen** categories. Everything is measured on the test shapes of the
# **embedded corpus**, with labels by simulated annotators: no number here is one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
from alignparts.core.run import start
from alignparts.evaluation import comparison, tables
from alignparts.model.stage import Stage
from texparts.export import retrain

run = start("loop", profile)
settings, seed = run.params.evaluate, run.params.base.seed
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}

# %% [markdown]
# ## The models
#
# The pipeline has trained them one by one; a model that is missing is trained now.

# %%
loop = Stage(run.params, run.data, run.models)
retrain.retrain_missing(loop)
print("models:", ", ".join(retrain.LABELS.values()))

# %% [markdown]
# ## Before and after
#
# *seen*: categories of the first training. *unseen*: categories that only the new shapes have; the model
# has to find the category among all of the vocabulary's. *unseen, names given*: the shape's own part names
# are given, as in Table 2's held-out column.

# %% tags=["nbval-ignore-output"]
scores = retrain.gain_scores(loop)
table = comparison.readable(comparison.score_table(scores, sets=(), **bootstrap))
tables.write_table(run.folder, "retrain", table, tables.by_set(table))
tables.by_set(table)

# %% [markdown]
# ## Tested
#
# Names of unseen categories should improve, and more than by the same steps without the review; names of seen
# ones should not get worse. A claim holds where the interval of the difference lies above 0.

# %% tags=["nbval-ignore-output"]
tested = retrain.tested_claims(scores, **bootstrap)
tables.write_table(run.folder, "retrain_claims", tested)
tested

# %% [markdown]
# ## What was gained
#
# The metrics of this chapter: a mean per model, test set and metric.

# %% tags=["nbval-ignore-output"]
arms = {label: arm for arm, label in retrain.LABELS.items()}
rows = table.assign(arm=table.method.map(arms))
means = rows.pivot_table("value", ["metric", "test_set"], "arm", sort=False)
gain = means.loc["LA-mIoU", retrain.UNSEEN]
run.check(gain["reviewed"] > gain["before"], "the review improves the names of unseen categories")
metrics = ("mIoU", "LA-mIoU")
run.metrics({metric: means.loc[metric].to_dict("index") for metric in metrics})
means
