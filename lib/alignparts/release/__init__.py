"""The release model: a learned backbone, trained on labeled shapes without end."""
