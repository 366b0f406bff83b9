# %% [markdown]
# # Small parts, wrong names, hard categories
#
# The scores of Table 2 are means over shapes (§5, §10). This chapter looks behind them: at the size of the
# parts, at the names that are confused, and at single categories. It predicts nothing: it reads the scores
# and the results of single parts that the chapter on Tables 1 and 2 has stored.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
from alignparts.core.run import start
from alignparts.evaluation import comparison, part_analysis, tables
from alignparts.evaluation.ground_truth import HELDOUT, SEEN
from alignparts.evaluation.methods import OURS
from alignparts.ontology.vocabulary import words
from alignparts.report import plots

# %% [markdown]
# ## One row per part
#
# Each row is a ground-truth part of a shape: its share of the labeled points, the IoU of the segment chosen
# for it, and the name that this segment has. The mean IoU over the parts of a shape is its mIoU in Table 2,
# which is checked below.

# %%
run = start("parts", profile)
settings, seed = run.params.evaluate, run.params.base.seed
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
scores = tables.read_rows(run.data / "scores" / "table2.csv")
parts = tables.read_rows(run.data / "scores" / "parts.csv")
mean = parts.groupby(["method", "shape_id"]).iou.mean()  # of the first training seed
miou = scores[scores.metric == "miou"].groupby(["method", "shape_id"]).value.first()
assert (mean - miou[mean.index]).abs().max() < 1e-8
parts.groupby("method", sort=False).agg(shapes=("shape_id", "nunique"), parts=("part", "size"))

# %% [markdown]
# ## By the size of a part
#
# Parts are binned by their share of the shape's labeled points. Drawn are means over parts of the IoU, and
# of the IoU where the name is right. Handles and screws lie on the left.

# %% tags=["nbval-ignore-output"]
sizes = comparison.readable(part_analysis.size_table(parts, **bootstrap))
tables.write_table(run.folder, "part_sizes", sizes)
figure = plots.draw_sizes(sizes)
run.figure(figure, "part_sizes")
figure

# %%
found = sizes[(sizes.method == OURS) & (sizes.test_set == SEEN) & (sizes.metric == "mIoU")].value
run.check(found.iloc[-1] > found.iloc[0], "the largest parts are segmented better than the smallest")
print("sizes:", ", ".join(sizes.sort_values("above")["size"].unique()))

# %% [markdown]
# ## Confused names
#
# The table has the wrong names that parts are given most often. The picture shows the category with the most
# wrong names of ALIGN-Parts: each row is a part, each column a name that it was given, in percent.

# %% tags=["nbval-ignore-output"]
wrong = part_analysis.confusions(parts)
tables.write_table(run.folder, "confusions", wrong)
named = parts[(parts.method == OURS) & (parts.test_set != HELDOUT)]
category = part_analysis.most_confused(named)
figure = plots.draw_confusion(part_analysis.confusion_matrix(named, category), words(category))
run.figure(figure, "confusions")
figure

# %% tags=["nbval-ignore-output"]
wrong[(wrong.method == OURS) & (wrong.category == part_analysis.ALL)]

# %% [markdown]
# ## By category
#
# A mean over categories hides much: some are almost solved, others are not. All metrics of ALIGN-Parts and
# PartField come first.

# %% tags=["nbval-ignore-output"]
categories = comparison.category_table(scores[scores.seed == seed], **bootstrap)
tables.write_table(run.folder, "table2_categories", categories, tables.by_set(categories))
tables.by_set(categories)

# %% [markdown]
# The leaderboard ranks the methods in every category. A method counts *as good* as the best one if the
# interval of their difference on the same shapes holds 0.

# %% tags=["nbval-ignore-output"]
board = part_analysis.leaderboard(scores[scores.method.isin(parts.method)], **bootstrap)
tables.write_table(run.folder, "leaderboard", board)
figure = plots.draw_leaderboard(board)
run.figure(figure, "leaderboard")
figure

# %%
first = board[(board.method == OURS) & (board["rank"] == 1)].groupby("metric").size()
run.metrics({
    "parts": int((parts.method == OURS).sum()),
    "parts_named_right": int(parts[parts.method == OURS].right.astype(bool).sum()),
    "categories": int(board.category.nunique()),
    "categories_best_miou": int(first.get("miou", 0)),
    "categories_best_la_miou": int(first.get("la_miou", 0)),
})
print("categories:", board.category.nunique())
