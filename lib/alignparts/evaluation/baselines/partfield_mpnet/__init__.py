"""PartField+MPNet, the paper's own baseline without partlets (section 12.1).

Features are fused by cross-attention and aligned with texts a part at a time; a shape is cut by soft k-means
on the fused features of its points, and the clusters are named by assignment.
"""
