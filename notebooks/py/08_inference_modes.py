# %% [markdown]
# # What else the model can be asked
#
# Three questions to one trained model, without training it again (§11, §12.3, §12.4): what is it worth to
# know the *number* of parts (Table 4); which points answer a *query* in words (Fig. 9); how well do part
# labels travel from one shape to another of its category (Fig. 8). Everything is measured on the
# **embedded corpus**: no number here is one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.evaluation import comparison, tables
from alignparts.evaluation.baselines import fit
from alignparts.evaluation.experiments import cosegmentation, table4
from alignparts.evaluation.experiments import retrieval as retrieval_eval
from alignparts.evaluation.ground_truth import load_labeled
from alignparts.evaluation.methods import GIVEN
from alignparts.evaluation.variants import folder_of
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.naming.inference import forward
from alignparts.ontology.vocabulary import words
from alignparts.pictures.scene3d import save_gallery
from alignparts.report.figure_rows import query_rows, transfer_row
from alignparts.report.selection import choose_rows

run = start("modes", profile)
smoke = profile == "smoke"
seed = run.params.base.seed
look = {"points": run.params.evaluate.points, "seed": seed}
bootstrap = {
    "resamples": run.params.evaluate.bootstrap, "confidence": run.params.evaluate.confidence, "seed": seed,
}
stage = Stage(run.params, run.data, run.models)
store, vocabulary, encode = stage.store, stage.vocabulary, stage.encode
model = AlignParts.from_pretrained(str(run.models / "alignparts")).eval()
corpus = Corpus(run.data / "corpus")

# %% [markdown]
# ## Table 4: knowing the number of parts
#
# *Clustering + part number* cuts the fused features by k-means, without names; *+ part number* keeps as many
# of the most salient masks as there are parts, and lets them share out all points; *No part number* is the
# model as it is. Names come from the closed vocabulary of the category found.

# %%
modes = table4.evaluate_part_number(store, model, encode, vocabulary, **look)
numbers = table4.table4(modes, **bootstrap)
tables.write_table(run.folder, "table4", numbers, tables.by_set(numbers))
tables.by_set(numbers) if not smoke else print("methods:", ", ".join(numbers.method.unique()))

# %%
tested = comparison.readable(comparison.paired_table(modes, table4.CLAIMS, **bootstrap))
tables.write_table(run.folder, "table4_claims", tested)
tested if not smoke else print("claims:", len(tested))

# %% [markdown]
# ## Retrieval: a query in words
#
# Find3D's figure: the IoU of what a query returns with its part, mean over the parts of a shape. The queries
# are the part's name, "*part* of a *object*", and the description. *constrained* is §12.3's setting: the
# names are those of the parts present, and so is their number; *by query* answers each query alone (mode 3).

# %%
others = [
    fit.load(name, folder_of(run.models, "baselines", name, run.params.comparison.seeds[0]), stage)
    for name in run.params.comparison.methods if name != fit.OURS
]
asked = retrieval_eval.evaluate_retrieval(store, model, encode, vocabulary, others, **look)
retrieved = retrieval_eval.retrieval_table(asked, **bootstrap)
tables.write_table(run.folder, "retrieval", retrieved, tables.by_set(retrieved))
tables.by_set(retrieved) if not smoke else print("methods:", ", ".join(retrieved.method.unique()))

# %%
tested = comparison.paired_table(asked, retrieval_eval.CLAIMS, **bootstrap)
tested["metric"] = "IoU, " + tested.metric
tables.write_table(run.folder, "retrieval_claims", tested)
tested if not smoke else print("claims:", len(tested))

# %% [markdown]
# **Fig. 9**: two shapes at the 0.9 and 0.5 quantile of our score, of different categories; of each the
# queries for its three largest parts.

# %%
rows = []
chosen = choose_rows(
    asked, method=retrieval_eval.CONSTRAINED, metric=retrieval_eval.NAME,
    quantiles=(0.9, 0.5), seed=seed,
)  # fmt: skip
for shape_id in chosen:
    shape = load_labeled(store, shape_id, **look)
    ask = retrieval_eval.answerers(shape, forward(model, shape.arrays), encode, others)
    queries = [words(name) for name in shape.present]
    answers = {label: answer(queries) for label, answer in reversed(ask.items())}
    rows += query_rows(words(shape.category), shape, answers, corpus.load(shape_id).surface, most=3)
save_gallery(run, "retrieval", "Figure 9: parts found by a query", rows)

# %% [markdown]
# ## Co-segmentation: labels carried to another shape
#
# Clustering needs a source: *dependent* clusters start from the source's centers, *independent* ones are
# found on the target and matched with them afterwards, in PartField's field or in the fused features (BiCo).
# The feed-forward model looks at no source. **Transfer accuracy**: the share of the target's points that get
# the right name, among those whose name the source has; *all labeled* counts the others as wrong. One row is
# a way to carry labels, *n* counts pairs.

# %%
pairs = cosegmentation.evaluate_transfer(store, model, encode, vocabulary, **look)
carried = cosegmentation.transfer_table(pairs, **bootstrap)
tables.write_table(run.folder, "cosegmentation", carried, tables.by_set(carried))
tables.by_set(carried) if not smoke else print("methods:", ", ".join(carried.method.unique()))

# %%
everything = pairs.assign(test_set=cosegmentation.ALL)
tested = comparison.paired_table(
    everything, cosegmentation.CLAIMS, sets=(cosegmentation.ALL,), **bootstrap
).replace({"metric": cosegmentation.LABELS})
tables.write_table(run.folder, "cosegmentation_claims", tested)
tested if not smoke else print("claims:", len(tested))

# %% [markdown]
# **Fig. 8**: the pairs nearest to the 0.9, 0.5 and 0.1 quantile of the feed-forward model's accuracy, of
# different categories.

# %%
ways = {
    "PartField, dependent": "PartField, dependent clustering",
    "BiCo, dependent": "BiCo, dependent clustering",
    "BiCo, independent": "BiCo, independent clustering",
    "feed-forward": GIVEN,
}
rows = []
for pair in choose_rows(pairs, method=GIVEN, metric="transfer", seed=seed):
    source, target = (load_labeled(store, one, **look) for one in pair.split(" > "))
    both = [cosegmentation.prepare(one, model, encode, vocabulary, seed) for one in (source, target)]
    labeled = cosegmentation.carried(*both)
    surfaces = [corpus.load(one.shape_id).surface for one in (source, target)]
    columns = {short: labeled[long] for short, long in ways.items()}
    rows.append(transfer_row(words(source.category), source, target, columns, *surfaces))
save_gallery(run, "cosegmentation", "Figure 8: labels carried from a source to a target", rows)

# %%
miou = {"test_set": comparison.AVERAGE, "metric": "mIoU"}
run.metrics(
    {
        "miou_clustering": tables.value(numbers, method=table4.CLUSTERS, **miou),
        "miou_part_number": tables.value(numbers, method=table4.NUMBER, **miou),
        "miou_no_part_number": tables.value(numbers, method=table4.NONE, **miou),
        "pairs": int(carried.n.max()),
        "queries": int(retrieved.n.max()),
    }
)
