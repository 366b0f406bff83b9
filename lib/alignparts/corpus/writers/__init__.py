"""Shapes written to disk in the data sets' own formats, for the readers to read.

``write`` of a data set's module writes one :class:`alignparts.corpus.shape.LabeledShape` in its words (id and
category are the data set's, "" is a part that it leaves unlabeled), ``finish`` the lists that concern all.
"""
