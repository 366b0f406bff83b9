"""Evaluation: methods, ground truth, scores and the tables that are made of them.

A method (:mod:`methods`) under an information setting is an ``Entrant``; :func:`scoring.evaluate` scores
entrants on stored shapes (:mod:`ground_truth`) and returns one table of scores, from which :mod:`comparison`
and :mod:`part_analysis` make tables. :mod:`experiments` holds the paper's tables and some beyond them,
:mod:`baselines` the methods compared with ALIGN-Parts, :mod:`speed` their cost.
"""
