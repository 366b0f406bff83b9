# %% [markdown]
# # Confidence one can trust
#
# The closed vocabulary says how sure it is of every name: a softmax over the names (Eq. 20), a Mahalanobis
# distance to the training partlets of the name (Eqs. 18, 38, 39, one covariance for all labels), and both
# fused (Eq. 40). Do these numbers mean what they say, do they tell right names from wrong ones, and can parts
# be accepted without a person, with a **stated error rate**? Everything is measured on the **embedded
# corpus**: no number here is one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
from alignparts.core.run import start
from alignparts.evaluation import calibration, conformal, tables
from alignparts.evaluation.experiments import confidence
from alignparts.evaluation.ground_truth import one_a_category, taking_turns
from alignparts.evaluation.reliability import LABELS, Confidences
from alignparts.evaluation.scored_parts import PartScorer, concatenated
from alignparts.features.store import FeatureStore
from alignparts.naming.confidence import CALIBRATION, PAPER, Calibration
from alignparts.ontology.text import TextEncoder
from alignparts.ontology.vocabulary import Vocabulary
from alignparts.report import confidence_plots

run = start("confidence", profile)
smoke = profile == "smoke"
chosen, settings, seed = run.params.confidence, run.params.evaluate, run.params.base.seed
store = FeatureStore(run.data / "features")
vocabulary = Vocabulary.load(run.data / "ontology" / "vocabulary.json")
encode = TextEncoder.from_name(run.params.ontology.text_encoder).encode
# At smoke size training is too short for masks that pass Eq. 22.
scorer = PartScorer.load(run.models, encode, vocabulary, fill=smoke)
training = scorer.corpus(
    store, ["train"], settings.points, seed, taking_turns(store, "train", chosen.training, seed)
)
validation = scorer.corpus(store, ["validation"], settings.points, seed)
test = scorer.corpus(store, ["test"], settings.points, seed)
unseen = scorer.corpus(store, ["heldout"], settings.points, seed)

# %% [markdown]
# ## What is right
#
# The model runs as in the pipeline: it finds the category (Eq. 16), then names the parts. A name is **right**
# if it is that of the ground-truth part to which most of the predicted part's points belong. Where the
# category is wrong, names mostly are, too.

# %%
for name, judged in (("validation", validation), ("test", test), ("unseen", unseen)):
    found = judged.table.category == judged.table.predicted_category
    print(f"{name}: {len(judged.shapes)} shapes")
    if not smoke:
        print(f"  {len(judged.table)} parts, wrong names {1 - judged.right.mean():.3f}")
    if not smoke and found.any() and not found.all():
        print(f"  of shapes whose category was found {1 - judged.right[found].mean():.3f}, "
              f"of the others {1 - judged.right[~found].mean():.3f}")

# %% [markdown]
# ## Calibration
#
# The temperature, alpha, beta and the ridge (epsilon) are fitted to some of the validation shapes by the log
# loss. The ridge has to be: in the width of a sentence embedding d² is in the hundreds where epsilon is
# small, and exp(-d²) is 0 for right and wrong names alike. **Beyond the paper**, the confidence is also
# multiplied by that of the *category* (softmax of Eq. 16, a temperature of its own), which no term of Eq. 40
# knows about.
#
# **All evidence**, also beyond the paper: a logistic regression over the softmax, the distance, the
# category's softmax, the partness, the mask's mean probability and the part's size. It is fitted to
# *training* shapes, so that no validation shape is used up. Validation shapes that nothing was fitted to tell
# what helps:

# %%
fitting, others = (validation.of(ids) for ids in conformal.split(validation.shapes, chosen.fit_share, seed))
plain = calibration.fit(fitting)
with_category = calibration.fit(fitting, category=True)
with_evidence = calibration.fit_evidence(calibration.BASE, training)
fitted = (plain, with_category, with_evidence)
bootstrap = {"resamples": chosen.bootstrap, "confidence": settings.confidence, "seed": seed}
half = confidence.reliability_table({"validation, other shapes": others}, *fitted, **bootstrap)
if not smoke:
    for one in (PAPER, *fitted):
        print(one.model_dump(exclude={"promise", "review_below", "accept_mahalanobis"}))
tables.by_set(half) if not smoke else print("ways:", ", ".join(half.method.unique()))

# %% [markdown]
# ## Held-out shapes
#
# The test shapes of the seen categories, bins of equally many parts.

# %%
said = confidence.measures(test, *fitted)
named = {name: Confidences.of(test, one) for name, one in said.items()}
shown = (
    confidence.FUSED, confidence.FITTED, confidence.CATEGORY, confidence.EVIDENCE,
)
figure = confidence_plots.draw_reliability({name: named[name] for name in shown})
run.figure(figure, "reliability")
figure

# %%
figure = confidence_plots.draw_risk_coverage(named)
run.figure(figure, "risk_coverage")
figure

# %% [markdown]
# ## A promise
#
# *Of the accepted parts of a shape at most this share has a wrong name, on average over shapes, and a
# calibration keeps that with this certainty.* Learn then Test: thresholds are tested from the strictest down
# until one fails, with p-values that assume no distribution. Shapes are the unit, for the parts of a shape
# share its category. The evidence and the thresholds to test come from training shapes, the promise from all
# validation shapes. A flawless record on few shapes proves little: at 90% certainty an error of 5% takes 45
# shapes without one wrong name.

# %%
errors = sorted({chosen.error, *chosen.errors})
base, promises = conformal.calibrate(
    training, validation, errors=errors, certainty=chosen.certainty, seed=seed
)
promise = next(one for one in promises if one.error == chosen.error)
shipped = base.model_copy(update={"promise": promise})
shipped.save(run.models / "confidence" / CALIBRATION)
assert Calibration.load(run.models / "confidence" / CALIBRATION) == shipped
if not smoke:
    for one in promises:
        what = "nothing is accepted" if one.above >= 1 else f"accepted above {one.above:.3f}"
        print(f"error {one.error:.0%} with certainty {one.certainty:.0%}: {what}")

# %% [markdown]
# Is it kept? The validation and test shapes are split in halves at random, many times. The promise is made on
# one half; the other shows what error comes of it.

# %%
checked = conformal.check(
    training, concatenated([validation, test]), errors=errors, certainty=chosen.certainty,
    splits=chosen.splits, seed=seed,
)
kept = confidence.promise_table(checked, promises)
tables.write_table(run.folder, "promise", kept)
figure = confidence_plots.draw_promise(checked)
run.figure(figure, "promise")
figure

# %%
kept if not smoke else print("promises:", len(kept))

# %% [markdown]
# ## Where no promise reaches
#
# A promise holds for shapes like those it was made on. *Unseen categories*: the model has the whole
# vocabulary to choose from, as in the pipeline. *Noise* and *no texture*: the surface is disturbed before it
# is sampled, rendered and encoded, on one test shape of every seen category (*undisturbed*: the same shapes
# as they are).

# %%
few = one_a_category(store, seed)
disturbed = confidence.disturbed_parts(
    few[:3] if smoke else few, run.params, run.data, run.models,
    workers=1 if smoke else run.params.base.workers, fill=smoke,
)
sets = {confidence.SEEN: test, confidence.UNSEEN: unseen, **disturbed}
table = confidence.reliability_table(sets, *fitted, **bootstrap)
tables.write_table(run.folder, "confidence", table, tables.by_set(table))
# A model of a few steps may have no right name to tell from wrong ones.
figure = confidence_plots.draw_shift(table, LABELS["brier" if smoke else "auroc"], list(sets))
run.figure(figure, "confidence_shift")
figure

# %%
shift = confidence.shift_table(sets, base, promises, table)
tables.write_table(run.folder, "confidence_shift", shift)
shift if not smoke else print("sets:", ", ".join(sets))

# %%
def value(method, metric):
    return tables.value(table, method=method, test_set=confidence.SEEN, metric=LABELS[metric])


shipped_row = kept[kept["promised error"] == chosen.error].iloc[0]
used = confidence.EVIDENCE
run.metrics(
    {
        "ece": {"paper": value(confidence.FUSED, "ece"), "fitted": value(used, "ece")},
        "auroc": {"paper": value(confidence.FUSED, "auroc"), "fitted": value(used, "auroc")},
        "promised_error": chosen.error,
        "promised_certainty": chosen.certainty,
        "accepted_above": float(shipped_row["accepted above"]),
        "splits_kept": int(shipped_row["kept"]),
        "splits": int(shipped_row["splits"]),
        "accepted_parts": float(shipped_row["accepted parts"]),
    }
)
