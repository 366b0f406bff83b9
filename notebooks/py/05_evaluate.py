# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Table 2: segmenting and naming
#
# How well are parts of *unseen shapes* found, and how often do they get the right name? ALIGN-Parts stands
# beside PartField clustering, which is told the true number of parts and gives no names (§5, Table 2).
# Everything is measured on the **embedded corpus**: no number here is one of the paper's.
#
# Three figures a shape, each a mean over its ground-truth parts (§10):
#
# * **mIoU**: the best IoU over all predicted segments, names aside;
# * **LA-mIoU**: the same segment, and it counts only if its name is the right one;
# * **rLA-mIoU**: the same segment, IoU times the cosine of the two names (negative ones count as 0).
#
# One predicted segment may serve several ground-truth parts: max-IoU does not forbid it. Points without a
# ground-truth label count on neither side. *label IoU* is Find3D's own figure: the IoU of all points that
# carry a name.

# %% tags=["parameters"]
smoke = True          # the notebook's own default: seconds on a laptop; the pipeline passes False
params = None         # every block of params.yaml, given by the pipeline

# %%
import matplotlib.pyplot as plt
import pandas as pd

from alignparts import evaluate, figures, tables
from alignparts.confidence import Statistics
from alignparts.corpus.index import Corpus
from alignparts.features.store import FeatureStore
from alignparts.model import AlignParts
from alignparts.run import start
from alignparts.text import TextEncoder
from alignparts.vocabulary import Vocabulary

run = start("evaluate", params=params, smoke=smoke)
settings, seed = run.params.evaluate, run.params.base.seed
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}

# %% [markdown]
# ## Predict
#
# Test shapes of **seen** categories are named from the closed vocabulary (§3.3, mode 1): once with the
# category that the global embedding finds (Eq. 16), once with the category given. Shapes of **held-out**
# categories, never trained on, are named from their own part names (mode 2, open vocabulary), and once more
# with the descriptions that the vocabulary has for those names.

# %%
store = FeatureStore(run.data / "features")
vocabulary = Vocabulary.load(run.data / "ontology" / "vocabulary.json")
text = TextEncoder.from_name(run.params.ontology.text_encoder)
model = AlignParts.from_pretrained(str(run.models / "alignparts")).eval()
statistics = Statistics.load(run.models / "alignparts")
result = evaluate.evaluate_corpus(
    store, model, text.encode, vocabulary, statistics=statistics, points=settings.points, seed=seed
)
counts = pd.DataFrame([vars(score) for score in result.scores]).groupby("test_set").shape_id.nunique()
counts.to_frame("shapes")

# %% [markdown]
# ## The table
#
# *average* is the unweighted mean over the three test sets, as in the paper; *seen* pools their shapes;
# *heldout* are the categories never trained on. In brackets: 95% bootstrap intervals over shapes.

# %%
table = evaluate.table2(result, **bootstrap)
tables.write_table(run.reports / "tables", "table2", table, tables.by_set(table))
tables.by_set(table) if not smoke else print("methods:", ", ".join(table.method.unique()))

# %%
gain = evaluate.gain_over_clustering(result, **bootstrap)
if not smoke:
    print(f"mIoU of ALIGN-Parts over PartField clustering, seen categories: {gain.value:+.1%} "
          f"[{gain.low:+.1%}, {gain.high:+.1%}], {gain.n} shapes")

# %% [markdown]
# LA-mIoU can never exceed rLA-mIoU, nor that mIoU; every figure is a share.

# %%
wide = table.pivot_table(index=["method", "test_set"], columns="metric", values="value")
named = wide.dropna(subset=["LA-mIoU"])
assert (named["LA-mIoU"] <= named["rLA-mIoU"] + 1e-4).all()
assert (named["rLA-mIoU"] <= named["mIoU"] + 1e-4).all()
assert table.value.between(0, 1).all()
print("checked:", len(wide), "pairs of method and test set")

# %% [markdown]
# ## By category
#
# A mean hides much: some categories are all but solved, others are not.

# %%
categories = evaluate.category_table(result, **bootstrap)
tables.write_table(run.reports / "tables", "table2_categories", categories, tables.by_set(categories))
ours = categories[categories.method == evaluate.OURS]
ours = ours.pivot_table(index="test_set", columns="metric", values="value").sort_values("mIoU")
figure, axis = plt.subplots(figsize=(7, 0.5 + 0.19 * len(ours)), layout="constrained")
axis.barh(ours.index, ours["mIoU"], color="#c9d8e8", label="mIoU")
axis.barh(ours.index, ours["LA-mIoU"], color="#2f6aa3", height=0.45, label="LA-mIoU")
axis.tick_params(axis="y", labelsize=7)
axis.set(xlim=(0, 1), ylim=(-0.6, len(ours) - 0.4))
axis.legend(loc="lower right")
axis.spines[["top", "right"]].set_visible(False)
run.figure(figure, "evaluate_categories")
plt.show()

# %% [markdown]
# ## Best, median, worst
#
# Ground truth on the left, prediction on the right, the same colour for the same name everywhere, grey for
# points without a label. Drawn are the points that the metrics count.

# %%
chosen = evaluate.best_median_worst(result)
rows = [
    figures.Comparison(
        title=f"{rank} ({one.miou:.2f}): {one.category},\ntaken for {one.found_category}",
        truth=one.truth,
        truth_names=one.truth_names,
        predicted=one.prediction.point_part,
        predicted_names=one.prediction.names,
        points=one.points,
    )
    for rank, one in zip(("best", "median", "worst"), chosen, strict=False)
]
grid = figures.compare_grid(rows)
run.figure(grid, "evaluate_shapes")
grid

# %% [markdown]
# ## Seconds
#
# Every stage of one shape, end to end, at the same number of points: the paper's comparison of its decoder at
# 10,000 points with k-means at 100,000 leaves most of this out. Seconds differ from run to run, so they are
# written to `reports/timings` and shown on the report's page, not here.

# %%
from alignparts.features.extract import Encoders
from alignparts.pipeline import Manifest, NamedPartsPipeline
from alignparts.timing import time_stages

features = run.params.features
pipeline = NamedPartsPipeline(
    model, Encoders.from_params(features, run.models), text, vocabulary, statistics,
    Manifest(views=features.views, resolution=features.resolution, points=settings.points),
)
corpus = Corpus(run.data / "corpus")
timed = [corpus.load(shape_id) for shape_id in corpus.ids(split="test")[: 1 if smoke else 6]]
seconds = time_stages(pipeline, timed, points=settings.points, repetitions=1 if smoke else 5)
(run.reports / "timings").mkdir(parents=True, exist_ok=True)
seconds.to_csv(run.reports / "timings" / "evaluate.csv", index=False)
print("stages:", ", ".join(seconds.stage))

# %%
def value(method, test_set, metric):
    found = table[(table.method == method) & (table.test_set == test_set) & (table.metric == metric)]
    return float(found.value.iloc[0]) if len(found) else None


run.metrics(
    {
        "miou": value(evaluate.OURS, "seen", "mIoU"),
        "la_miou": value(evaluate.OURS, "seen", "LA-mIoU"),
        "rla_miou": value(evaluate.OURS, "seen", "rLA-mIoU"),
        "category_accuracy": value(evaluate.OURS, "seen", "category accuracy"),
        "clustering_miou": value(evaluate.CLUSTERING, "seen", "mIoU"),
        "gain_over_clustering": round(gain.value, 4),
        "gain_low": round(gain.low, 4),
        "gain_high": round(gain.high, 4),
        "heldout_miou": value(evaluate.OURS, "heldout", "mIoU"),
        "heldout_la_miou": value(evaluate.OURS, "heldout", "LA-mIoU"),
        "shapes": int(counts.sum()),
    }
)
