# %% [markdown]
# # Table 3: the value of each component
#
# The same model is trained from scratch with one thing changed, with several seeds (§5, Table 3). Each
# seed is an item of DVC's matrix (`dvc repro ablations`). All variants see eight categories of the
# **embedded corpus**, few epochs and a one-layer decoder (`ablation` in `params.yaml`): they can be
# compared with each other, but not with Table 2 and not with the paper's numbers.
#
# | row | fusion | losses |
# |---|---|---|
# | Base Model | PartField's field alone, point by point | no text, coverage, overlap |
# | No L_cov, L_ov, L_txt | BiCo | no text, coverage, overlap |
# | No L_cov, L_ov | BiCo | no coverage, overlap |
# | Geo Input Only | raw coordinates alone, point by point | no text, coverage, overlap |
# | Feature Concat | both features side by side, point by point | no text, coverage, overlap |
# | PartField+MPNet | the baseline without partlets (§12.1) | its own |
# | ALIGN-Parts | BiCo | all |
#
# Two more rows are the release model, with the names of these categories to choose from: a learned backbone
# in place of frozen encoders and fusion. Its training was far longer, on shapes of all seen categories.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import display

from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.evaluation import comparison, scoring, tables
from alignparts.evaluation.experiments import ablation
from alignparts.evaluation.ground_truth import load_labeled
from alignparts.evaluation.methods import Entrant, answers
from alignparts.evaluation.released import released
from alignparts.model.stage import Stage
from alignparts.ontology.vocabulary import words
from alignparts.pictures.scene3d import save_gallery
from alignparts.report import figure_rows, plots, selection

# %% [markdown]
# ## Scores of all variants
#
# Every variant has stored its scores on the test shapes beside its model; they are read together.

# %%
run = start("ablation_table", profile)
chosen, settings, seed = run.params.ablation, run.params.evaluate, run.params.base.seed
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
stage = Stage(run.params, run.data, run.models)
names = stage.vocabulary.only(chosen.categories)
look = {"points": settings.points, "seed": seed, "ids": ablation.shapes_of(stage.store, "test", names)}
learned = scoring.evaluate(stage.store, released(stage, names), stage.encode, **look).scores
trained = ablation.collect("rows", stage, train_missing=True)
scores = pd.concat([trained, learned], ignore_index=True)
print(scores.nunique()[["method", "seed", "shape_id"]].to_dict())

# %% [markdown]
# ## The table
#
# The value of a shape is its mean over the seeds; 95% bootstrap intervals are over shapes. *average* is the
# unweighted mean over the test sets.

# %% tags=["nbval-ignore-output"]
table = comparison.readable(comparison.score_table(scores, **bootstrap))
tables.write_table(run.folder, "table3", table, tables.by_set(table))
tables.by_set(table)

# %% [markdown]
# ## The paper's findings, tested
#
# Each is a difference of two rows on the same shapes: bootstrap interval, p of a permutation test that
# exchanges the rows within shapes, and Holm's correction over all findings.

# %% tags=["nbval-ignore-output"]
tested = comparison.readable(comparison.paired_table(scores, ablation.claims(run.params), **bootstrap))
tables.write_table(run.folder, "table3_claims", tested)
tested

# %% [markdown]
# The text loss is what ties partlets to names: without it, LA-mIoU falls.

# %%
named = tested[(tested.better == run.params.ablations["no_cov_ov"].label) & (tested.metric == "LA-mIoU")]
run.check((named.verdict == "holds").all(), "the text loss raises LA-mIoU")
print("findings:", len(tested))

# %% [markdown]
# ## Fig. 5: the variants side by side
#
# All variants have the first seed. The shapes are those nearest to the 0.9, 0.5 and 0.1 quantile of the full
# model's mIoU, each of another category.

# %% tags=["nbval-ignore-output"]
corpus, rows = Corpus(run.data / "corpus"), []
variants = [
    Entrant(ablation.method_of(name, chosen.seeds[0], stage), name=run.params.ablations[name].label)
    for name in chosen.rows
]
for shape_id in selection.choose_rows(scores, seed=seed):
    shape = load_labeled(stage.store, shape_id, settings.points, seed)
    columns, surface = answers(variants, shape), corpus.load(shape_id).surface
    rows.append(figure_rows.shape_row(words(shape.category), shape, columns, surface))
save_gallery(run, "ablations", "Figure 5: the rows of Table 3", rows)

# %% [markdown]
# ## Partlets, neighbors, training shapes
#
# One setting is changed at a time: the number K of partlets, the number k of neighbors of BiCo fusion, or the
# share of the training shapes. The rest is as in the last row of the table.

# %% tags=["nbval-ignore-output"]
varied = ablation.collect("curves", stage, train_missing=True)
points, lines = pd.concat([scores, varied], ignore_index=True), []
for setting, values in ablation.curves(run.params).items():
    label = ablation.SETTINGS[setting]
    line = comparison.readable(comparison.setting_table(points, setting, values, **bootstrap))
    figure = plots.draw_setting(line, setting, label)
    run.figure(figure, f"curve_{label.split()[0]}")
    display(figure)
    lines.append(line.rename(columns={setting: "at"}).assign(setting=label))
tables.write_table(run.folder, "curve_settings", pd.concat(lines, ignore_index=True))

# %%
run.metrics({
    "variants": len(chosen.rows),
    "seeds": len(chosen.seeds),
    "shapes": int(scores.shape_id.nunique()),
    "claims": len(tested),
    "claims_that_hold": int((tested.verdict == "holds").sum()),
})
