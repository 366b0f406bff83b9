# %% [markdown]
# # The loop closed: what training on the reviewed data set gains
#
# Train, bootstrap, review, retrain: the model that made the predictions of notebook 09 is trained on with
# the data set that came of their review, read back by `alignparts ingest` as anybody would. Beside it two
# models that had the same steps on as many shapes: with old training shapes alone, and with the same new
# shapes as they were **predicted**, which nobody reviewed. An epoch sees every new shape `retrain.copies`
# times. The new shapes hold some of **unseen** categories. Everything is measured on the test shapes of the
# **embedded corpus**, with labels by simulated annotators: no number here is one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
from alignparts.core.run import start
from alignparts.evaluation import comparison, tables
from alignparts.model.stage import Stage
from texparts.export import retrain

run = start("loop", profile)
smoke = profile == "smoke"
settings, seed = run.params.evaluate, run.params.base.seed
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
loop = Stage(run.params, run.data, run.models)
if smoke:
    retrain.retrain_missing(loop)
print("models:", ", ".join(retrain.LABELS.values()))

# %% [markdown]
# ## Before and after
#
# *seen*: categories of the first training. *unseen*: categories that only the new shapes have; the model
# has to find the category among all of the vocabulary's. *unseen, names given*: the shape's own part names
# are given, as in Table 2's held-out column.

# %%
scores = retrain.gain_scores(loop)
table = comparison.readable(comparison.score_table(scores, sets=(), **bootstrap))
tables.write_table(run.folder, "retrain", table, tables.by_set(table))
tables.by_set(table) if not smoke else print("test sets:", ", ".join(sorted(set(table.test_set))))

# %% [markdown]
# ## Tested
#
# A claim holds where the interval of the difference lies above 0.

# %%
tested = retrain.tested_claims(scores, **bootstrap)
tables.write_table(run.folder, "retrain_claims", tested)
tested if not smoke else print("claims:", len(tested))

# %%
def value(arm, test_set, metric):
    return tables.value(table, method=retrain.LABELS[arm], test_set=test_set, metric=metric)


run.metrics(
    {
        metric: {
            test_set: {arm: value(arm, test_set, metric) for arm in retrain.LABELS}
            for test_set in (retrain.SEEN, retrain.UNSEEN, retrain.NAMED)
        }
        for metric in ("mIoU", "LA-mIoU")
    }
)
