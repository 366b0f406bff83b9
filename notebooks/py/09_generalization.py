# %% [markdown]
# # Beyond the training data
#
# This chapter answers three questions. How good are the names in **categories** that were never trained on,
# and how much does fine-tuning on a few of their shapes help (§12.2)? What happens if shapes are
# **disturbed**: turned, noisy, coarse, without texture? And how many **points** does a shape need? Everything
# is measured on the **embedded corpus**: no number is one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import display

from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh import perturb
from alignparts.evaluation import comparison, scoring, tables
from alignparts.evaluation.experiments import generalization, robustness, table2
from alignparts.evaluation.ground_truth import load_labeled, one_a_category
from alignparts.evaluation.methods import OURS, Entrant, answers
from alignparts.model.stage import Stage
from alignparts.ontology.vocabulary import words
from alignparts.pictures.scene3d import save_gallery
from alignparts.report import figure_rows, plots, selection

# %% [markdown]
# ## Methods and shapes
#
# The methods are those of Table 2. *seen* is one test shape of every category of the training.

# %%
run = start("generalization", profile)
chosen, settings, seed = run.params.generalization, run.params.evaluate, run.params.base.seed
look = {"points": settings.points, "seed": seed}
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed, "sets": ()}
stage, corpus = Stage(run.params, run.data, run.models), Corpus(run.data / "corpus")
store, encode = stage.store, stage.encode
methods = table2.entrants(stage)
seen = one_a_category(store, seed)
print("held-out shapes:", len(corpus.ids(split="heldout")), "seen shapes:", len(seen))

# %% [markdown]
# ## Unseen categories: zero-shot, then a few shots
#
# No model has seen a shape of the held-out categories; all methods are given the names of the parts. Then
# ALIGN-Parts is fine-tuned for a few steps on 1, 2 or 4 shapes of each category (or all that a half has).
# Every shape is scored by a model that did not see it: the two halves of each category take turns. *seen*
# shows what is left of the old categories, with the category given; fine-tuning sees none of them.

# %%
generalization.fine_tune_missing(stage)
tuned = generalization.shot_scores(stage, seen)
others = scoring.evaluate(store, methods[:-1], encode, splits=["heldout"], **look).scores
scores = pd.concat([tuned, others], ignore_index=True)
shots = {generalization.label_of(number): number for number in (0, *chosen.shots)}
print("methods:", *scores.method.unique(), sep="\n  ")

# %% tags=["nbval-ignore-output"]
ours = comparison.setting_table(scores, "shots", shots, **bootstrap)
peers = comparison.score_table(others, **bootstrap).assign(shots=0)
table = comparison.readable(pd.concat([ours, peers], ignore_index=True))
tables.write_table(run.folder, "generalization", table)
figure = plots.draw_setting(table, "shots", "shapes of each unseen category", test_set="heldout")
run.figure(figure, "shots")
figure

# %% [markdown]
# The gain of the most shots over none, tested on the held-out shapes:

# %% tags=["nbval-ignore-output"]
claims = generalization.claims(run.params)
tested = comparison.readable(comparison.paired_table(tuned, claims, **bootstrap | {"sets": ("heldout",)}))
tables.write_table(run.folder, "generalization_claims", tested)
tested

# %% [markdown]
# **Fig. 7**: shapes nearest to the 0.9, 0.5 and 0.1 quantile of the zero-shot mIoU, of different categories.

# %% tags=["nbval-ignore-output"]
most, rows = max(chosen.shots), []
scorers = generalization.methods_of_shapes(most, stage)
for shape_id in selection.choose_rows(tuned, test_sets=["heldout"], seed=seed):
    shape, surface = load_labeled(store, shape_id, **look), corpus.load(shape_id).surface
    columns = answers([*methods, Entrant(scorers[shape_id], name=f"{most} shots")], shape)
    rows.append(figure_rows.shape_row(words(shape.category), shape, columns, surface))
save_gallery(run, "unseen", "Figure 7: categories that were never trained on", rows)

# %% [markdown]
# ## Disturbed inputs
#
# The surface is disturbed before it is sampled, rendered and encoded: turned about a random axis (training
# turns shapes about the vertical one alone), its vertices moved by noise, its triangles reduced by quadric
# edge collapse, its color and texture removed. The shapes are those of *seen*.

# %% tags=["nbval-ignore-output"]
disturbed = robustness.robustness_scores(seen, stage)
lines = []
for kind, group in disturbed.groupby("disturbance", sort=False):
    line = comparison.setting_table(group.drop(columns="disturbance"), "strength", **bootstrap)
    lines.append(comparison.readable(line).assign(disturbance=kind))
    figure = plots.draw_setting(lines[-1], "strength", perturb.STRENGTH[kind], test_set="seen")
    run.figure(figure, f"robustness_{kind}")
    display(figure)
robust = pd.concat(lines, ignore_index=True)
tables.write_table(run.folder, "robustness", robust)

# %% [markdown]
# A turn about a random axis is the hardest of them: training has only turns about the vertical axis.

# %%
ours = robust[(robust.method == OURS) & (robust.metric == "mIoU")]
turned = ours[ours.disturbance == "rotation"].set_index("strength").value
run.check(turned.iloc[-1] < turned[0], "a turn about a random axis lowers mIoU")
print("disturbances:", ", ".join(robust.disturbance.unique()))

# %% [markdown]
# ## Points
#
# The methods see fewer and fewer points of the same shapes. Labels go from them to the nearest of all stored
# points, on which everything is scored.

# %% tags=["nbval-ignore-output"]
points = robustness.points_scores(
    store, lambda shape: answers(methods, shape), encode, points=chosen.points, ids=seen, seed=seed,
    scored=min(run.params.corpus.points, 4096), splits=["test"],
).assign(test_set="seen")
line = comparison.readable(comparison.setting_table(points, "points", **bootstrap))
tables.write_table(run.folder, "curve_points", line)
figure = plots.draw_setting(line, "points", "points of a shape", test_set="seen")
run.figure(figure, "curve_points")
figure

# %%
la_miou = table[(table.method == OURS) & (table.metric == "LA-mIoU")]
strengths = ours[ours.strength > 0]
run.metrics({
    **{
        f"{test_set}_la_miou": {str(row.shots): row.value for row in rows.itertuples()}
        for test_set, rows in la_miou.groupby("test_set")
    },
    "robustness_miou": {
        f"{row.disturbance} {row.strength:g}": row.value for row in strengths.itertuples()
    },
})
