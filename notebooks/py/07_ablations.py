# %% [markdown]
# # Table 3: what each component is worth
#
# The same model with one thing changed, trained from nothing with several seeds: one item of DVC's matrix a
# variant and seed (`dvc repro ablations`). The items see eight categories of the **embedded corpus**, few
# epochs and a one-layer decoder, all variants alike (`ablation` in `params.yaml`): compare them with each
# other, not with Table 2, and not with the paper's numbers.
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

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import pandas as pd
from IPython.display import display

from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.evaluation import comparison, tables
from alignparts.evaluation.experiments import ablation
from alignparts.evaluation.ground_truth import load_labeled
from alignparts.evaluation.methods import Entrant, answers
from alignparts.model.stage import Stage
from alignparts.ontology.vocabulary import words
from alignparts.pictures.scene3d import save_gallery
from alignparts.report import plots
from alignparts.report.figure_rows import shape_row
from alignparts.report.selection import choose_rows

run = start("ablation_table", profile)
smoke = profile == "smoke"
chosen, settings = run.params.ablation, run.params.evaluate
bootstrap = {
    "resamples": settings.bootstrap, "confidence": settings.confidence, "seed": run.params.base.seed,
}
stage = Stage(run.params, run.data, run.models)
scores = ablation.collect(chosen.rows, stage, train_missing=smoke)
print(scores.nunique()[["method", "seed", "shape_id"]].to_dict())

# %% [markdown]
# ## The table
#
# A shape's value is its mean over the seeds; 95% bootstrap intervals are over shapes. *average*: the
# unweighted mean over the test sets.

# %%
table = comparison.readable(comparison.score_table(scores, **bootstrap))
tables.write_table(run.folder, "table3", table, tables.by_set(table))
tables.by_set(table) if not smoke else print("methods:", ", ".join(table.method.unique()))

# %% [markdown]
# ## The paper's findings, tested
#
# Each is a difference of two rows on the same shapes: bootstrap interval, p of a test that exchanges the rows
# within shapes, Holm's correction over all claims.

# %%
tested = comparison.readable(comparison.paired_table(scores, ablation.claims(run.params), **bootstrap))
tables.write_table(run.folder, "table3_claims", tested)
tested if not smoke else print("claims:", len(tested))

# %% [markdown]
# ## Fig. 5: the variants side by side
#
# All with the first seed; shapes nearest to the 0.9, 0.5 and 0.1 quantile of the full model's mIoU, of
# different categories.

# %%
corpus, rows = Corpus(run.data / "corpus"), []
variants = [
    Entrant(ablation.method_of(name, chosen.seeds[0], stage), name=run.params.ablations[name].label)
    for name in chosen.rows
]
for shape_id in choose_rows(scores, seed=run.params.base.seed):
    shape = load_labeled(stage.store, shape_id, settings.points, run.params.base.seed)
    columns = answers(variants, shape)
    rows.append(shape_row(words(shape.category), shape, columns, corpus.load(shape_id).surface))
save_gallery(run, "ablations", "Figure 5: the rows of Table 3", rows)

# %% [markdown]
# ## Partlets, neighbors, training shapes
#
# One setting at a time, the rest as in the last row of the table.

# %%
points = pd.concat([scores, ablation.collect(chosen.curves, stage, train_missing=smoke)], ignore_index=True)
said = {"K": "partlets K", "k": "neighbors k", "shapes": "share of the training shapes"}
lines = []
for setting, values in ablation.curves(run.params).items():
    line = comparison.readable(comparison.setting_table(points, setting, values, **bootstrap))
    figure = plots.draw_setting(line, setting, said[setting])
    run.figure(figure, f"curve_{said[setting].split()[0]}")
    display(figure)
    lines.append(line.rename(columns={setting: "at"}).assign(setting=said[setting]))
settled = pd.concat(lines, ignore_index=True)
tables.write_table(run.folder, "curve_settings", settled)

# %%
run.metrics({
    "variants": len(chosen.rows),
    "seeds": len(chosen.seeds),
    "shapes": int(scores.shape_id.nunique()),
    "claims": len(tested),
    "claims_that_hold": int((tested.verdict == "holds").sum()),
})
