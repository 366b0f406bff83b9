# %% [markdown]
# # Confidence one can trust
#
# The closed vocabulary says how sure it is of every name: a softmax over the names (Eq. 20), a Mahalanobis
# distance to the training partlets of the name (Eqs. 18, 38, 39, one covariance for all labels), and both
# fused (Eq. 40). This chapter asks whether these numbers mean what they say, whether they tell right names
# from wrong ones, and whether parts can be accepted without a person at a **stated error rate**. Everything
# is measured on the **embedded corpus**: no number here is one of the paper's.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import display

from alignparts.core.run import start
from alignparts.evaluation import calibration, tables
from alignparts.evaluation.experiments import confidence
from alignparts.evaluation.ground_truth import one_a_category, taking_turns
from alignparts.evaluation.reliability import LABELS, Confidences
from alignparts.evaluation.scored_parts import PartScorer, concatenated
from alignparts.model.stage import Stage
from alignparts.naming.confidence import CALIBRATION, PAPER, Calibration
from alignparts.report import confidence_plots

# %% [markdown]
# ## What is right
#
# The model runs as in the pipeline: it finds the category (Eq. 16), then names the parts. A name is **right**
# if it is that of the ground-truth part to which most of the predicted part's points belong. Training shapes
# fit what needs fitting, validation shapes calibrate, test shapes judge; *unseen* are the categories that no
# training shape has.

# %%
run = start("confidence", profile)
chosen, settings, seed = run.params.confidence, run.params.evaluate, run.params.base.seed
stage = Stage(run.params, run.data, run.models)
store = stage.store
scorer = PartScorer.load(run.models / "alignparts", stage.encode, stage.vocabulary, chosen.labels)
look = {"points": settings.points, "seed": seed}
known = taking_turns(store, "train", chosen.training, seed)
training = scorer.corpus(store, ["train"], ids=known, **look)
splits = ("validation", "test", "heldout")
validation, test, unseen = (scorer.corpus(store, [split], **look) for split in splits)

# %% [markdown]
# Where the category is wrong, most names are wrong, too:

# %% tags=["nbval-ignore-output"]
confidence.naming_table({"validation": validation, "test": test, "unseen": unseen})

# %% [markdown]
# ## Calibration
#
# The temperature, alpha, beta and the ridge (epsilon) are fitted to some of the validation shapes by the log
# loss. The ridge has to be fitted: in the width of a sentence embedding d² is in the hundreds where epsilon
# is small, and exp(-d²) is 0 for right and wrong names alike. **Beyond the paper**, the confidence is also
# multiplied by that of the *category* (softmax of Eq. 16, a temperature of its own), which no term of Eq. 40
# knows about.
#
# **All evidence**, also beyond the paper: a logistic regression over the softmax, the distance, the
# category's softmax, the partness, the mask's mean probability and the part's size. It is fitted to
# *training* shapes, so that no validation shape is used up.

# %% tags=["nbval-ignore-output"]
fitting, others = (validation.of(ids) for ids in calibration.split(validation.shapes, chosen.fit_share, seed))
plain = calibration.fit(fitting)
with_category = calibration.fit(fitting, category=True)
with_evidence = calibration.fit_evidence(calibration.BASE, training)
fitted = (plain, with_category, with_evidence)
columns = {"tau", "alpha", "beta", "ridge", "tau_category"}
labels = ["the paper", confidence.FITTED, confidence.CATEGORY, confidence.EVIDENCE]
pd.DataFrame([values.model_dump(include=columns) for values in (PAPER, *fitted)], index=labels)

# %% [markdown]
# Validation shapes that nothing was fitted to tell what helps:

# %% tags=["nbval-ignore-output"]
bootstrap = {"resamples": chosen.bootstrap, "confidence": settings.confidence, "seed": seed}
half = confidence.reliability_table({"validation, other shapes": others}, *fitted, **bootstrap)
tables.by_set(half)

# %% [markdown]
# ## Held-out shapes
#
# The test shapes of the seen categories. The reliability diagrams have bins of equally many parts; on the
# diagonal a confidence of 0.8 is right 8 times out of 10.

# %% tags=["nbval-ignore-output"]
measures = confidence.measures(test, *fitted)
named = {name: Confidences.of(test, values) for name, values in measures.items()}
shown = (confidence.FUSED, confidence.FITTED, confidence.CATEGORY, confidence.EVIDENCE)
figure = confidence_plots.draw_reliability({name: named[name] for name in shown})
run.figure(figure, "reliability")
figure

# %% [markdown]
# If the most confident parts are accepted first, how many of them have a wrong name?

# %% tags=["nbval-ignore-output"]
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
# shapes without one wrong name. The promise of `confidence.error` is shipped with the model.

# %%
errors = sorted({chosen.error, *chosen.errors})
wanted = {"errors": errors, "certainty": chosen.certainty, "seed": seed}
base, promises = calibration.calibrate(training, validation, **wanted)
shipped = base.model_copy(update={"promise": promises[errors.index(chosen.error)]})
shipped.save(run.models / "confidence" / CALIBRATION)
assert Calibration.load(run.models / "confidence" / CALIBRATION) == shipped

# %% [markdown]
# The validation and test shapes are split in halves at random, many times. The promise is made on one half;
# the other shows what error comes of it. A threshold of 1 accepts nothing.

# %% tags=["nbval-ignore-output"]
checked = calibration.check(training, concatenated([validation, test]), splits=chosen.splits, **wanted)
kept = confidence.promise_table(checked, promises)
tables.write_table(run.folder, "promise", kept)
run.check((kept["mean error"] <= kept["promised error"]).all(), "promises are kept on average")
figure = confidence_plots.draw_promise(checked)
run.figure(figure, "promise")
display(kept)
figure

# %% [markdown]
# ## Where no promise reaches
#
# A promise holds for shapes like those it was made on. *Unseen categories*: the model has the whole
# vocabulary to choose from, as in the pipeline. *Noise* and *no texture*: the surface is disturbed before it
# is sampled, rendered and encoded, on one test shape of every seen category (*undisturbed*: the same shapes
# as they are).

# %% tags=["nbval-ignore-output"]
disturbed = confidence.disturbed_parts(one_a_category(store, seed)[: chosen.disturbed], stage)
sets = {confidence.SEEN: test, confidence.UNSEEN: unseen, **disturbed}
table = confidence.reliability_table(sets, *fitted, **bootstrap)
tables.write_table(run.folder, "confidence", table, tables.by_set(table))
figure = confidence_plots.draw_shift(table, list(sets))
run.figure(figure, "confidence_shift")
figure

# %% [markdown]
# The promises on these sets, none of which they were made for:

# %% tags=["nbval-ignore-output"]
shift = confidence.shift_table(sets, base, promises, table)
tables.write_table(run.folder, "confidence_shift", shift)
shift

# %% [markdown]
# ## What was measured
#
# Calibration error (ECE) and AUROC on the seen categories, with the paper's values and with all evidence.

# %%
ways = {"paper": confidence.FUSED, "fitted": confidence.EVIDENCE}
measured = {
    metric: {way: tables.value(table, method=method, test_set=confidence.SEEN, metric=LABELS[metric])
             for way, method in ways.items()}
    for metric in ("ece", "auroc")
}  # fmt: skip
row = kept[kept["promised error"] == chosen.error].iloc[0]
run.check(measured["ece"]["fitted"] < measured["ece"]["paper"], "evidence is better calibrated than Eq. 40")
promised = {"promised_error": chosen.error, "promised_certainty": chosen.certainty}
tried = {"splits_kept": int(row["kept"]), "splits": int(row["splits"])}
accepted = {"accepted_above": float(row["accepted above"]), "accepted_parts": float(row["accepted parts"])}
run.metrics(measured | promised | tried | accepted)
