# %% [markdown]
# # Tex-Parts: from raw meshes to a reviewed, named data set
#
# Meshes without labels go in (§13): a **filter** leaves out what is broken, the model **predicts** parts and
# names, a **rank** puts them into a queue, annotators **review** them, and an **export** makes a data set. On
# one's own folder these are the commands `texparts filter`, `predict`, `rank`, `texparts review`
# and `texparts export`.
#
# Here the meshes are **embedded** ones: procedural textured objects, written as TexVerse is, with unseen
# categories and broken files among them. The annotators of this notebook are **simulated**: they know the
# truth, use the tools of the review app alone, and take the time of a stated cost model. No number here is
# one of the paper's, and none was taken of people.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
import tempfile
from collections import Counter

from IPython.display import display

from alignparts.core.run import start
from alignparts.corpus.dialects import load_dialects
from alignparts.evaluation import tables
from alignparts.ontology.vocabulary import Vocabulary
from texparts.annotation.geometry import Shapes
from texparts.export.export import export_dataset
from texparts.filter.filter import filter_folder
from texparts.queue import pictures, predict, rank
from texparts.raw.synthetic import write_texverse_like
from texparts.simulation import checks, cost, effort, rehearsal, truth

# %%
run = start("texparts", profile)
block, base = run.params.texparts, run.params.base
home = run.data / "texparts"
work = home / "work"
vocabulary = Vocabulary.load(run.data / "ontology" / "vocabulary.json")
heldout = load_dialects().heldout(run.params.corpus.heldout)
unseen = sorted({vocabulary.resolve_category(name) for _, name in heldout})

# %% [markdown]
# ## Raw meshes
#
# None of these shapes is in the corpus that the model was trained on, and their meshes do not follow the
# parts. What the generator knows of them lies in a folder of its own, for the simulated annotators.

# %%
folder = write_texverse_like(home / "raw", run.params, base.seed)
broken = folder.malformed()
print("broken files:", len(broken), "of as many kinds")

# %% [markdown]
# ## Filter
#
# Every file that is left out has a reason. Each broken file goes for what is broken in it, and every good one
# stays.

# %%
filtered = filter_folder(folder.root, work, block, workers=base.workers)
print("kept:", int(filtered.kept.sum()), "of", len(filtered))
found = checks.malformed_table(filtered, broken)
assert (found.expected == found.found).all()
assert set(filtered.loc[~filtered.kept, "object_id"]) == set(broken)
found.drop(columns="expected")

# %%
figure = pictures.draw_reasons(filtered)
run.figure(figure, "texparts_filter")
figure

# %% [markdown]
# ## Predict
#
# Masks, names, the confidence of both, and clusters of the geometry field at several granularities, which the
# review offers for painting. A part is **accepted unseen** where its confidence is above the threshold that
# the chapter on confidence promises an error rate for. The promise covers seen categories; the last column
# gives the error rate measured here.

# %%
# NBVAL_IGNORE_OUTPUT
predicted = predict.predict(work, run.models / "alignparts", block, workers=base.workers)
assert predicted.done.all()
truths = {object_id: truth.truth_of(folder, object_id, vocabulary) for object_id in predicted.object_id}
shapes = Shapes(work)
parts = checks.judged_parts(shapes, truths)
accepted = checks.acceptance_table(parts, unseen)
tables.write_table(run.folder, "texparts_accepted", accepted)
accepted

# %% [markdown]
# ## Rank
#
# The most confident objects come first: they are the quickest to check. Unseen categories gather at the end.

# %%
queue = rank.rank(work, block.order)
figure = pictures.draw_queue(work, queue, shown=min(6, len(queue) // 2))
run.figure(figure, "texparts_queue")
figure

# %% [markdown]
# ## Review: what it costs
#
# `texparts review data/texparts/work` serves this queue to people. Here a simulated annotator brings every
# object to its truth from four starts: from scratch with the brush alone; from scratch with all tools of the
# review; from clusters of the geometry field; from our prediction. Seconds are those of the keystroke-level
# model (block `texparts.effort`), and count looking, thinking, clicks, keys and strokes.

# %%
# NBVAL_IGNORE_OUTPUT
keystrokes = cost.CostModel(**dict(block.effort))
parallel = {"workers": base.workers, "scheduler": base.scheduler}
measured = effort.measure_effort(work, truths, keystrokes, unseen, **parallel)
bootstrap = {"resamples": run.params.evaluate.bootstrap, "seed": base.seed}
means = effort.mean_table(measured, **bootstrap)
ratios = effort.ratio_table(measured, **bootstrap)
tables.write_table(run.folder, "effort", means.round(3))
tables.write_table(run.folder, "effort_ratios", ratios.round(3))
print("objects reached their truth:", f"{measured.right.mean():.0%}")
ratios.round(2)

# %%
figure = effort.draw_effort(means, ratios)
run.figure(figure, "effort")
figure

# %% [markdown]
# **Ordered and unordered.** All orders take equally long in the end; confident first, more is done early. The
# table: seconds until half of the objects are done, as a share of what a random order takes on average.

# %%
# NBVAL_IGNORE_OUTPUT
orders = effort.order_table(measured, **bootstrap)
tables.write_table(run.folder, "effort_orders", orders.round(3))
figure = effort.draw_orders(measured)
run.figure(figure, "effort_orders")
display(orders.round(2))
figure

# %% [markdown]
# ## Review: through the real store
#
# The same edits now go where a person's go: objects are taken from the queue, every edit is an event in the
# database, and everything is handed in. Some objects get a second opinion, by a less careful annotator. The
# simulated clock is the store's: the seconds that it logs are those that were measured above.

# %%
# NBVAL_IGNORE_OUTPUT
costs = [keystrokes.model_copy(update={"quality": quality}) for quality in block.rehearsal.qualities]
opinions = rehearsal.entries(queue, len(costs), block.rehearsal.second_opinions)
with tempfile.TemporaryDirectory() as temporary:
    database = f"sqlite:///{temporary}/review.db"
    store = rehearsal.rehearse(
        work, opinions, rehearsal.simulated_work(shapes, truths, costs), database,
        annotators=len(costs), vocabulary=vocabulary,
    )  # fmt: skip
    progress = store.submissions.progress()
    first = {one.object_id: one.opinions[0] for one in store.submissions.submitted()}
    edits = Counter(event.edit.kind for key in first for event in store.events.history(key))
    about = {"title": "Tex-Parts, embedded", "license": "MIT", "by": "simulated annotators"}
    done = export_dataset(store.submissions.submitted(), work, home / "dataset", **about)
    store.close()
print("edits:", ", ".join(f"{kind} {count}" for kind, count in sorted(edits.items())))

# %%
ours = measured[measured.start == effort.OURS].set_index("object_id").seconds
careful = [key for key, one in first.items() if one.annotator == "simulated annotator 1"]
assert progress.done == len(queue) and len(done.index) == len(queue)
assert all(abs(first[key].seconds - ours[key]) < 0.01 for key in careful)
print("objects handed in:", progress.done, "| with a second opinion:", progress.pairs)

# %% [markdown]
# ## Export
#
# Named GLBs, labels, an index, a card and Croissant metadata: `data/texparts/dataset`, described by the next
# chapter. Beside it, for comparison, the same data set without any review.

# %%
with tempfile.TemporaryDirectory() as temporary:
    store = rehearsal.hand_in_unchanged(work, queue, f"sqlite:///{temporary}/none.db")
    raw = export_dataset(
        store.submissions.submitted(), work, home / "unreviewed", title="Tex-Parts, embedded, not reviewed",
        license="MIT", by="nobody",
    )  # fmt: skip
    store.close()
print(*sorted(path.name for path in done.folder.iterdir()), sep="\n")

# %%
overall = ratios[ratios.test_set == effort.ALL].set_index("start")[["value", "low", "high"]].round(3)
run.metrics(
    {
        "files": len(filtered),
        "kept": int(filtered.kept.sum()),
        "parts": len(parts),
        "effort_ratio": {start: values.tolist() for start, values in overall.iterrows()},
        "agreement": None if progress.agreement is None else round(progress.agreement.same, 4),
        "exported": len(done.index),
        "exported_unreviewed": len(raw.index),
    }
)
