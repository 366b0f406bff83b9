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
from texparts.queue import pictures
from texparts.queue.predict import predict
from texparts.queue.rank import rank
from texparts.raw.synthetic import write_texverse_like
from texparts.simulation import checks, effort, effort_figures, effort_orders
from texparts.simulation.rehearsal import entries, rehearse, simulated_work
from texparts.simulation.truth import truth_of

run = start("texparts", profile)
smoke = profile == "smoke"
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
found.drop(columns="expected").head(3 if smoke else None)

# %%
figure = pictures.draw_reasons(filtered)
run.figure(figure, "texparts_filter")
figure

# %% [markdown]
# ## Predict
#
# Masks, names, the confidence of both, and clusters of the geometry field at several granularities, which the
# review offers for painting. A part is **accepted unseen** where its confidence is above the threshold that
# notebook 08 promises an error rate for. The promise is one for seen categories; the last column says what
# became of it here.

# %%
predicted = predict(work, run.models / "alignparts", block, workers=base.workers)
assert predicted.done.all()
truths = {object_id: truth_of(folder, object_id, vocabulary) for object_id in predicted.object_id}
shapes = Shapes(work)
parts = checks.judged_parts(shapes, truths)
accepted = checks.acceptance_table(parts, unseen)
tables.write_table(run.folder, "texparts_accepted", accepted)
accepted if not smoke else print("judged parts:", parts.shape[1], "columns")

# %% [markdown]
# ## Rank
#
# The most confident objects come first: they are the quickest to check. Unseen categories gather at the end.

# %%
queue = rank(work, block.order)
figure = pictures.draw_queue(work, queue, shown=2 if smoke else 6)
run.figure(figure, "texparts_queue")
figure

# %% [markdown]
# ## Review: what it costs
#
# `texparts review data/texparts/work` serves this queue to people. Here a simulated annotator brings every
# object to its truth, greedily, from several starts: from scratch; from clusters of the geometry field; from
# our masks without names; from our prediction. Seconds are those of the keystroke-level model (block
# `texparts.effort`), and count looking, thinking, clicks, keys and strokes.

# %%
measured = effort.measure_effort(work, queue.object_id, folder, vocabulary, block.effort, unseen,
                                 workers=base.workers, scheduler=base.scheduler)  # fmt: skip
bootstrap = {"resamples": run.params.evaluate.bootstrap, "seed": base.seed}
means = effort.mean_table(measured.objects, **bootstrap)
ratios = effort.ratio_table(measured.objects, **bootstrap)
tables.write_table(run.folder, "effort", means.round(3))
tables.write_table(run.folder, "effort_ratios", ratios.round(3))
print("objects reached their truth:", f"{measured.objects.right.mean():.0%}")
ratios[(ratios.unit == "seconds") & (ratios.statistic == "sums")].round(2) if not smoke else None

# %%
figure = effort_figures.draw_effort(means, ratios)
run.figure(figure, "effort")
display(figure)
figure = effort_figures.draw_actions(measured.actions)
run.figure(figure, "effort_actions")
figure

# %% [markdown]
# **Ordered and unordered.** All orders take equally long in the end; confident first, more is done early. The
# table: seconds until half of the objects are done, as a share of what a random order takes on average.

# %%
curves = effort_orders.order_curves(measured.objects, seed=base.seed)
orders = effort_orders.order_table(measured.objects, **bootstrap)
tables.write_table(run.folder, "effort_orders", orders.round(3))
figure = effort_figures.draw_orders(curves)
run.figure(figure, "effort_orders")
related = effort_orders.confidence_and_effort(measured.objects, **bootstrap)
if not smoke:
    display(orders.round(2))
figure

# %% [markdown]
# ## Review: through the real store
#
# The same edits now go where a person's go: objects are taken from the queue, every edit is an event in the
# database, and everything is handed in. Some objects get a second opinion, by a less careful annotator. The
# simulated clock is the store's: the seconds that it logs are those that were measured above.

# %%
costs = [block.effort.model_copy(update={"quality": quality}) for quality in block.rehearsal.qualities]
opinions = entries(queue, len(costs), block.rehearsal.second_opinions)
with tempfile.TemporaryDirectory() as temporary:
    database = f"sqlite:///{temporary}/review.db"
    store = rehearse(
        work, opinions, simulated_work(shapes, truths, costs), database,
        annotators=len(costs), vocabulary=vocabulary,
    )  # fmt: skip
    progress = store.progress()
    first = {one.object_id: one.opinions[0] for one in store.submitted()}
    edits = Counter(event.edit.kind for key in first for event in store.history(key))
    done = export_dataset(
        store.submitted(), work, home / "dataset", title="Tex-Parts, embedded", license="MIT",
        by="simulated annotators",
    )  # fmt: skip
    store.close()
ours = measured.objects[measured.objects.start == effort.OURS].set_index("object_id").seconds
careful = [key for key, one in first.items() if one.annotator == "simulated annotator 1"]
assert progress.done == len(queue) and len(done.index) == len(queue)
assert all(abs(first[key].seconds - ours[key]) < 0.01 for key in careful)
print("objects handed in:", progress.done, "| with a second opinion:", progress.pairs)
if not smoke:
    print("edits:", ", ".join(f"{kind} {count}" for kind, count in sorted(edits.items())))

# %% [markdown]
# ## Export
#
# Named GLBs, labels, an index, a card and Croissant metadata: `data/texparts/dataset`, described by
# notebook 13. Beside it, for comparison, what the data set would be if nobody had reviewed it.

# %%
with tempfile.TemporaryDirectory() as temporary:
    store = rehearse(work, entries(queue, 1, 0), lambda *_: [], f"sqlite:///{temporary}/none.db")
    raw = export_dataset(
        store.submitted(), work, home / "unreviewed", title="Tex-Parts, embedded, not reviewed",
        license="MIT", by="nobody",
    )  # fmt: skip
    store.close()
print(*sorted(path.name for path in done.folder.iterdir()), sep="\n")

# %%
def ratio(start, test_set="all", statistic="sums"):
    row = tables.lookup(
        ratios, start=start, test_set=test_set, unit="seconds", statistic=statistic
    )
    return [round(float(row[name]), 3) for name in ("value", "low", "high")]


run.metrics(
    {
        "files": len(filtered),
        "kept": int(filtered.kept.sum()),
        "parts": len(parts),
        "effort_ratio": {start: ratio(start) for start in effort.STARTS if start != effort.OURS},
        "confidence_and_effort": round(related.value, 4),
        "agreement": None if progress.agreement is None else round(progress.agreement.same, 4),
        "exported": len(done.index),
        "exported_unreviewed": len(raw.index),
    }
)
