# %% [markdown]
# # Beyond the training data
#
# Three questions. How good are the names in **categories** that were never trained on, and how many of their
# shapes make up for it (§12.2)? What if shapes are **disturbed**: turned, noisy, coarse, without texture? And
# how many **points** does a shape need? Everything is measured on the **embedded corpus**: no number here is
# one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import pandas as pd
from IPython.display import display

from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh import perturb
from alignparts.evaluation import comparison, scoring, tables
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.experiments import generalization, robustness, table2
from alignparts.evaluation.ground_truth import load_labeled, one_a_category
from alignparts.evaluation.methods import OURS, Entrant, answers
from alignparts.model.stage import Stage
from alignparts.ontology.vocabulary import words
from alignparts.pictures.scene3d import save_gallery
from alignparts.report import plots
from alignparts.report.figure_rows import shape_row
from alignparts.report.selection import choose_rows

run = start("generalization", profile)
smoke = profile == "smoke"
chosen, settings, seed = run.params.generalization, run.params.evaluate, run.params.base.seed
look = {"points": settings.points, "seed": seed}
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
stage = Stage(run.params, run.data, run.models)
store, vocabulary, encode = stage.store, stage.vocabulary, stage.encode
corpus = Corpus(run.data / "corpus")
methods = table2.entrants(stage)
seen = one_a_category(store, seed)
print("held-out shapes:", len(corpus.ids(split="heldout")), "seen shapes:", len(seen))

# %% [markdown]
# ## Unseen categories: zero-shot, then a few shots
#
# Nobody has seen a shape of the held-out categories; all methods are given the names of the parts. Then
# ALIGN-Parts was fine-tuned for a few steps on 1, 2 or 4 shapes of each (or all that a half has). Every shape
# is scored by a model that did not see it: the halves of each category take turns. *seen*: what is left of
# the old categories, one test shape each, with the category given (fine-tuning sees none of them).

# %%
if smoke:
    generalization.fine_tune_missing(stage)
tuned = generalization.shot_scores(stage, seen)
others = scoring.evaluate(store, methods[:-1], encode, splits=["heldout"], **look)
scores = pd.concat([tuned, others.scores], ignore_index=True)
shots = {generalization.label_of(number): number for number in (0, *chosen.shots)}
table = pd.concat(
    [
        comparison.readable(comparison.setting_table(scores, "shots", shots, sets=(), **bootstrap)),
        comparison.readable(comparison.score_table(others.scores, sets=(), **bootstrap))
        .assign(shots=0),
    ],
    ignore_index=True,
)
tables.write_table(run.folder, "generalization", table)
figure = plots.draw_setting(table, "shots", "shapes of each unseen category", test_set="heldout")
run.figure(figure, "shots")
figure

# %%
tested = comparison.readable(
    comparison.paired_table(tuned, generalization.claims(run.params), sets=("heldout",), **bootstrap)
)
tables.write_table(run.folder, "generalization_claims", tested)
tested if not smoke else print("claims:", len(tested))

# %% [markdown]
# **Fig. 7**: shapes nearest to the 0.9, 0.5 and 0.1 quantile of the zero-shot mIoU, of different categories.

# %%
most = max(chosen.shots)
tuned_on = [
    Ours(generalization.load(most, half, run.models), encode, vocabulary)
    for half in range(generalization.HALVES)
]
half_of = {one: half for half, lists in enumerate(generalization.halves(store, seed))
           for category in lists for one in category}
rows = []
for shape_id in choose_rows(tuned, test_sets=["heldout"], seed=seed):
    shape = load_labeled(store, shape_id, **look)
    few = answers([Entrant(tuned_on[half_of[shape_id]])], shape)[OURS]
    columns = answers(methods, shape) | {f"{most} shots": few}
    rows.append(shape_row(words(shape.category), shape, columns, corpus.load(shape_id).surface))
save_gallery(run, "unseen", "Figure 7: categories that were never trained on", rows)

# %% [markdown]
# ## Disturbed inputs
#
# The surface is disturbed before it is sampled, rendered and encoded: turned about a random axis (training
# turns shapes about the vertical one alone), its vertices moved by noise, its triangles thinned by quadric
# edge collapse, its color and texture taken away. One seen test shape of every category.

# %%
disturbed = robustness.robustness_scores(
    seen[:2] if smoke else seen, run.params, run.data, run.models,
    workers=1 if smoke else run.params.base.workers,
)
lines = []
for kind, group in disturbed.groupby("disturbance", sort=False):
    line = comparison.setting_table(group.drop(columns="disturbance"), "strength", sets=(), **bootstrap)
    lines.append(comparison.readable(line).assign(disturbance=kind))
    figure = plots.draw_setting(lines[-1], "strength", perturb.STRENGTH[kind], test_set="seen")
    run.figure(figure, f"robustness_{kind}")
    display(figure)
robust = pd.concat(lines, ignore_index=True)
tables.write_table(run.folder, "robustness", robust)

# %% [markdown]
# ## Points
#
# The methods see fewer and fewer points of the same shapes; labels go from them to the nearest of all stored
# points, on which everything is scored.

# %%
points = robustness.points_scores(
    store, lambda shape: answers(methods, shape), encode, points=chosen.points, ids=seen, seed=seed,
    scored=min(run.params.corpus.points, 4096), splits=["test"],
).assign(test_set="seen")
line = comparison.readable(comparison.setting_table(points, "points", sets=(), **bootstrap))
tables.write_table(run.folder, "curve_points", line)
figure = plots.draw_setting(line, "points", "points of a shape", test_set="seen")
run.figure(figure, "curve_points")
figure

# %%
def value(table, test_set, metric, **where):
    return tables.value(table, method=OURS, test_set=test_set, metric=metric, **where)


run.metrics(
    {
        "heldout_la_miou": {str(n): value(table, "heldout", "LA-mIoU", shots=n) for n in shots.values()},
        "seen_la_miou": {str(n): value(table, "seen", "LA-mIoU", shots=n) for n in shots.values()},
        "robustness_miou": {
            f"{kind} {strength:g}": value(robust, "seen", "mIoU", disturbance=kind, strength=strength)
            for kind, strength in robustness.cells(run.params)[1:]
        },
    }
)
