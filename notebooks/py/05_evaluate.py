# %% [markdown]
# # Tables 1 and 2: segmenting and naming
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
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.evaluation import comparison, part_analysis, scoring, tables
from alignparts.evaluation.baselines.ours import Ours, entrants_of
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering, partfield_scores
from alignparts.evaluation.experiments import table1, table2
from alignparts.evaluation.ground_truth import labeled_shapes, load_labeled
from alignparts.evaluation.methods import FIND3D, MPNET, OURS, PARTFIELD, Entrant
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.naming.confidence import Statistics
from alignparts.ontology.text import TextEncoder
from alignparts.ontology.vocabulary import Vocabulary, words
from alignparts.pictures.scene3d import save_gallery
from alignparts.report import plots
from alignparts.report.figure_rows import closeup_row, shape_row
from alignparts.report.selection import choose_fine, choose_rows

run = start("evaluate", profile)
smoke = profile == "smoke"
settings, seed = run.params.evaluate, run.params.base.seed
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
look = {"points": settings.points, "seed": seed}

# %% [markdown]
# ## ALIGN-Parts
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
result = scoring.evaluate(store, entrants_of(Ours(model, text.encode, vocabulary)), text.encode, **look)
counts = result.scores.groupby("test_set").shape_id.nunique()
counts.to_frame("shapes")

# %% [markdown]
# ## The others
#
# All were trained on the same shapes (`dvc repro baselines`), and each is told what the paper tells it:
#
# * **PartField** knows the true *number* of parts and clusters its field by k-means (the paper's row) or by
#   agglomerative clustering; also with the number estimated (silhouette), and by its own protocol, an
#   oracle that takes the best of 2 to 19 clusters;
# * **Find3D** knows the true *names* of the parts;
# * **PartField+MPNet** knows nothing, as ours: it finds the category and the number.
#
# In held-out categories all of them are given the names.

# %%
stage = Stage(run.params, run.data, run.models)
trained, segments = table2.trained_scores(stage, train_missing=smoke)
filled = Entrant(Ours(model, text.encode, vocabulary, fill=True))
untrained = [
    result.scores,
    scoring.evaluate(store, [filled], text.encode, **look).scores,
    partfield_scores(store, **look, workers=1 if smoke else run.params.base.workers),
]
scores = pd.concat([*untrained, trained], ignore_index=True)
lines = scores.to_csv(index=False, lineterminator="\n", float_format="%.6f")
write_text(run.data / "scores" / "table2.csv", lines)
print("methods:", *scores.method.unique(), sep="\n  ")

# %% [markdown]
# ## Table 1: what each method can do
#
# Nothing is typed in: every method is asked. *Complete decomposition*: without the names, at least 95% of the
# points end in a part. *Named parts*: segments come with names. *Open vocabulary*: it answers with names that
# no training had. *Permutation invariant*: another order of the points changes nothing. *Part-level
# features*: one vector a part. *Feed-forward*: no clustering of the shape while it answers. By Eq. 22 points
# of which no mask is sure stay unlabeled; *every point labeled* gives them the best mask's name (`--fill`).

# %%
methods = table2.entrants(stage)
asked = list(labeled_shapes(store, ["validation"], **look))[: 2 if smoke else 8]
able = table1.table1([*methods, filled], asked, seed)
kept, seen = able.drop(columns="seen"), able.rename(columns={"metric": "property", "value": "has it"})
tables.write_table(run.folder, "table1", kept, tables.marks(kept))
tables.write_table(run.folder, "table1_probes", seen)
tables.marks(kept) if not smoke else print("asked:", ", ".join(kept.method.unique()))

# %% [markdown]
# ## Table 2
#
# *average* is the unweighted mean over the three test sets, as in the paper; *heldout* are the categories
# never trained on. In brackets: 95% bootstrap intervals over shapes; a shape's value is its mean over seeds.

# %%
table = comparison.readable(comparison.score_table(scores, **bootstrap))
tables.write_table(run.folder, "table2", table, tables.by_set(table))
tables.by_set(table) if not smoke else print("test sets:", ", ".join(table.test_set.unique()))

# %% [markdown]
# ## The paper's findings, tested
#
# Differences on the *average*, over the shapes that both have: a bootstrap interval, and p of a test that
# exchanges the two methods within shapes, raised for the number of claims (Holm). A claim *holds* where the
# interval lies above 0, does *not hold* where it lies below, and is *undecided* between.

# %%
tested = comparison.readable(comparison.paired_table(scores, table2.claims(scores), **bootstrap))
tables.write_table(run.folder, "table2_claims", tested)
tested if not smoke else print("claims:", len(tested))

# %%
gain = comparison.gain(pd.concat(untrained), **bootstrap)
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
# ## Fig. 4: the methods side by side
#
# Three test shapes, chosen by a rule and not by eye: those nearest to the 0.9, 0.5 and 0.1 quantile of our
# mIoU, of different categories. One name has one color everywhere; PartField has no names, its segments take
# the color of the part that they fit best, and are gray where there are more of them.

# %%
corpus = Corpus(run.data / "corpus")
cluster = Entrant(PartFieldClustering(seed=seed), ("parts",))


def found(shape):
    """What every method makes of a shape, in the paper's order."""
    columns = {PARTFIELD: cluster.predict(shape)}
    columns |= {label: one[shape.shape_id] for label, one in segments.items()}
    return columns | {OURS: result.predictions[OURS][shape.shape_id]}


rows = []
for shape_id in choose_rows(scores, seed=seed):
    shape = load_labeled(store, shape_id, **look)
    rows.append(shape_row(words(shape.category), shape, found(shape), corpus.load(shape_id).surface))
save_gallery(run, "qualitative", "Figure 4: the methods side by side", rows)

# %% [markdown]
# ## Fig. 6: fine parts
#
# The test shapes with the smallest smallest part (of ten points at least): where it is, and what the methods
# make of its surroundings.

# %%
rows = []
for shape_id in choose_fine(labeled_shapes(store, ["test"], **look)):
    shape = load_labeled(store, shape_id, **look)
    rows.append(closeup_row(shape, found(shape), corpus.load(shape_id).surface))
save_gallery(run, "fine_parts", "Figure 6: fine parts", rows)

# %% [markdown]
# ## By the size of a part
#
# Every ground-truth part, binned by its share of the shape's labeled points: IoU of the segment chosen for
# it, and the same where its name is right, as means over parts. Handles and screws lie on the left.

# %%
named = (PARTFIELD, FIND3D, MPNET, OURS)
parts = pd.concat(
    [
        part_analysis.part_rows(label, shape, one)
        for shape in labeled_shapes(store, ["test", "heldout"], **look)
        for label, one in found(shape).items()
    ],
    ignore_index=True,
)
sizes = comparison.readable(part_analysis.size_table(parts, **bootstrap))
tables.write_table(run.folder, "part_sizes", sizes)
figure = plots.draw_sizes(sizes)
run.figure(figure, "part_sizes")
figure

# %% [markdown]
# ## Confused names
#
# The wrong names that parts are given most often; drawn is the category with the most wrong names of ours.

# %%
wrong = part_analysis.confusions(parts)
tables.write_table(run.folder, "confusions", wrong)
mine = parts[(parts.method == OURS) & (parts.test_set != "heldout")]
worst = str(mine[~mine.right.astype(bool)].category.value_counts().sort_index().idxmax())
figure = plots.draw_confusion(part_analysis.confusion_matrix(mine, worst), words(worst))
run.figure(figure, "confusions")
figure

# %% [markdown]
# ## By category
#
# A mean hides much: some categories are all but solved, others are not.

# %%
categories = comparison.category_table(pd.concat(untrained), **bootstrap)
tables.write_table(run.folder, "table2_categories", categories, tables.by_set(categories))
board = part_analysis.leaderboard(scores[scores.method.isin(named)], **bootstrap)
tables.write_table(run.folder, "leaderboard", board)
figure = plots.draw_leaderboard(board)
run.figure(figure, "leaderboard")
figure

# %% [markdown]
# ## Seconds
#
# Every stage of one shape, end to end, at the same number of points: the paper's comparison of its decoder at
# 10,000 points with k-means at 100,000 leaves most of this out. Seconds differ from run to run, so they are
# written to `reports/timings` and shown on the report's page, not here.

# %%
from alignparts.evaluation.speed.timing import by_method, time_stages
from alignparts.features.extract import Encoders
from alignparts.naming.pipeline import Manifest, NamedPartsPipeline

features = run.params.features
pipeline = NamedPartsPipeline(
    model, Encoders.from_params(features, run.models), text, vocabulary, statistics,
    Manifest(views=features.views, resolution=features.resolution, points=settings.points),
)
timed = [corpus.load(shape_id) for shape_id in corpus.ids(split="test")[: 1 if smoke else 6]]
peers = [one.method for one in methods if one.method.label not in (PARTFIELD, OURS)]
seconds = time_stages(
    pipeline, timed, points=settings.points, repetitions=1 if smoke else 5, others=peers
)
(run.reports / "timings").mkdir(parents=True, exist_ok=True)
seconds.to_csv(run.reports / "timings" / "evaluate.csv", index=False)
by_method(seconds).to_csv(run.reports / "timings" / "table2_seconds.csv", index=False)
print("stages:", ", ".join(seconds.stage))

# %%
def value(method, test_set, metric):
    return tables.value(table, method=method, test_set=test_set, metric=metric)


run.metrics(
    {
        "miou": value(OURS, "average", "mIoU"),
        "la_miou": value(OURS, "average", "LA-mIoU"),
        "rla_miou": value(OURS, "average", "rLA-mIoU"),
        "category_accuracy": value(OURS, "average", "category accuracy"),
        "clustering_miou": value(PARTFIELD, "average", "mIoU"),
        "gain_over_clustering": round(gain.value, 4),
        "gain_low": round(gain.low, 4),
        "gain_high": round(gain.high, 4),
        "seen_shapes": gain.n,
        "heldout_miou": value(OURS, "heldout", "mIoU"),
        "heldout_la_miou": value(OURS, "heldout", "LA-mIoU"),
        "shapes": int(counts.sum()),
    }
)
