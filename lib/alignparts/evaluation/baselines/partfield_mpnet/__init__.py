"""PartField+MPNet, the paper's own baseline without partlets (section 12.1).

Features are fused by cross-attention and aligned with texts part by part. Soft k-means on the fused features
of its points segments a shape, and the clusters are named by assignment.
"""
