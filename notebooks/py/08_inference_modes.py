# %% [markdown]
# # Part number, retrieval, co-segmentation
#
# One trained model answers three more questions without further training (§11, §12.3, §12.4): how much does
# it help to know the *number* of parts (Table 4); which points match a *query* in words (Fig. 9); and how
# well do part labels transfer from one shape to another of its category (Fig. 8). Everything is measured on
# the **embedded corpus**: no number is one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.evaluation import comparison, tables
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.experiments import cosegmentation, modes, table2
from alignparts.evaluation.ground_truth import load_labeled
from alignparts.evaluation.methods import GIVEN
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.ontology.vocabulary import words
from alignparts.pictures.scene3d import save_gallery
from alignparts.report import figure_rows, selection

# %% [markdown]
# ## The trained model
#
# All three experiments use the model of the stage `train`, and the same test shapes at the same points.

# %%
run = start("modes", profile)
settings, seed = run.params.evaluate, run.params.base.seed
look = {"points": settings.points, "seed": seed}
bootstrap = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
stage = Stage(run.params, run.data, run.models)
store = stage.store
ours = Ours(AlignParts.from_pretrained(str(run.models / "alignparts")), stage.encode, stage.vocabulary)
corpus = Corpus(run.data / "corpus")
print("test shapes:", len(corpus.ids(split="test")), "held-out shapes:", len(corpus.ids(split="heldout")))

# %% [markdown]
# ## Table 4: knowing the number of parts
#
# *Clustering + part number* cuts the fused features by k-means, without names. *+ part number* keeps as many
# of the most salient masks as there are parts, and lets them share out all points. *No part number* is the
# model as it is. Names come from the closed vocabulary of the predicted category.

# %% tags=["nbval-ignore-output"]
scores = modes.evaluate_part_number(store, ours, **look)
numbers = modes.table4(scores, **bootstrap)
tables.write_table(run.folder, "table4", numbers, tables.by_set(numbers))
tables.by_set(numbers)

# %% [markdown]
# The paper's order of the three rows, tested on the same shapes:

# %% tags=["nbval-ignore-output"]
tested = comparison.readable(comparison.paired_table(scores, modes.NUMBER_CLAIMS, **bootstrap))
tables.write_table(run.folder, "table4_claims", tested)
tested

# %% [markdown]
# ## Retrieval: a query in words
#
# Find3D's metric is the IoU of the points that a query returns with the part it asks for, as a mean over the
# parts of a shape. The queries are the part's name, "*part* of a *object*", and the description.
# *constrained* is the setting of §12.3: the names of the parts that are present are given, and so is their
# number. *by query* answers each query alone (mode 3).

# %% tags=["nbval-ignore-output"]
entrants = table2.entrants(stage)
others = [entrant.method for entrant in entrants[1:-1]]  # between PartField and ALIGN-Parts
asked = modes.evaluate_retrieval(store, ours, others, **look)
retrieved = modes.retrieval_table(asked, **bootstrap)
tables.write_table(run.folder, "retrieval", retrieved, tables.by_set(retrieved))
tables.by_set(retrieved)

# %% [markdown]
# Both settings of ALIGN-Parts against Find3D (§12.3):

# %% tags=["nbval-ignore-output"]
tested = comparison.paired_table(asked, modes.QUERY_CLAIMS, **bootstrap)
tested["metric"] = "IoU, " + tested.metric
tables.write_table(run.folder, "retrieval_claims", tested)
alone = tested[tested.better == modes.QUERIED]
run.check((alone.verdict == "holds").any(), "ALIGN-Parts, asked query by query, retrieves more than Find3D")
tested

# %% [markdown]
# **Fig. 9**: two shapes at the 0.9 and 0.5 quantile of the constrained score, of different categories; for
# each, the queries for its three largest parts.

# %% tags=["nbval-ignore-output"]
rows, by = [], {"method": modes.CONSTRAINED, "metric": modes.NAME, "quantiles": (0.9, 0.5)}
for shape_id in selection.choose_rows(asked, **by, seed=seed):
    shape, surface = load_labeled(store, shape_id, **look), corpus.load(shape_id).surface
    answerers = modes.answerers(shape, ours, others)
    queries = [words(name) for name in shape.present]
    answers = {label: answer(queries) for label, answer in reversed(answerers.items())}
    rows += figure_rows.query_rows(words(shape.category), shape, answers, surface, most=3)
save_gallery(run, "retrieval", "Figure 9: parts found by a query", rows)

# %% [markdown]
# ## Co-segmentation: labels carried to another shape
#
# Clustering needs a source: *dependent* clusters start from the source's centers, *independent* ones are
# found on the target and matched with the source's afterwards, in PartField's field or in the fused features
# (BiCo). The feed-forward model needs no source. **Transfer accuracy** is the share of the target's points
# with the right name, among those whose name the source has; *all labeled* counts the others as wrong. One
# row is one way to carry labels; *n* counts pairs.

# %% tags=["nbval-ignore-output"]
pairs = cosegmentation.evaluate_transfer(store, ours, **look)
carried = cosegmentation.transfer_table(pairs, **bootstrap)
tables.write_table(run.folder, "cosegmentation", carried, tables.by_set(carried))
tables.by_set(carried)

# %% [markdown]
# The feed-forward model against each way to cluster (§12.4), on the same pairs:

# %% tags=["nbval-ignore-output"]
tested = comparison.paired_table(
    pairs.assign(test_set=cosegmentation.ALL), cosegmentation.CLAIMS, sets=(cosegmentation.ALL,), **bootstrap
).replace({"metric": cosegmentation.LABELS})
tables.write_table(run.folder, "cosegmentation_claims", tested)
tested

# %% [markdown]
# **Fig. 8**: the pairs nearest to the 0.9, 0.5 and 0.1 quantile of the feed-forward model's accuracy, of
# different categories.

# %% tags=["nbval-ignore-output"]
clusterings = ("PartField, dependent", "BiCo, dependent", "BiCo, independent")
ways = {way: f"{way} clustering" for way in clusterings} | {"feed-forward": GIVEN}
rows = []
for pair in selection.choose_rows(pairs, method=GIVEN, metric="transfer", seed=seed):
    both = [load_labeled(store, shape_id, **look) for shape_id in pair.split(" > ")]
    prepared = [cosegmentation.prepare(shape, ours, seed) for shape in both]
    labeled = cosegmentation.carried(*prepared)
    columns = {title: labeled[method] for title, method in ways.items()}
    surfaces = [corpus.load(shape.shape_id).surface for shape in both]
    rows.append(figure_rows.transfer_row(words(both[0].category), *both, columns, *surfaces))
save_gallery(run, "cosegmentation", "Figure 8: labels carried from a source to a target", rows)

# %% [markdown]
# Points whose name the source does not have count as wrong in *all labeled* alone, so that it never exceeds
# transfer accuracy for a method that carries the source's names.

# %%
average = {"test_set": comparison.AVERAGE, "metric": "mIoU"}
run.metrics({
    "miou_clustering": tables.value(numbers, method=modes.CLUSTERS, **average),
    "miou_part_number": tables.value(numbers, method=modes.NUMBER, **average),
    "miou_no_part_number": tables.value(numbers, method=modes.NONE, **average),
    "pairs": int(carried.n.max()),
    "queries": int(retrieved.n.max()),
})
scored = pairs[pairs.method.str.contains("clustering")].pivot_table("value", ["method", "shape_id"], "metric")
shared = scored.dropna()
assert (shared.transfer_all <= shared.transfer + 1e-9).all()
print("checked:", pairs.shape_id.nunique(), "pairs of shapes")
