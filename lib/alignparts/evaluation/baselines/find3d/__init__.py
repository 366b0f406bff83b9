"""Find3D (Ma et al., 2024): a feature per point in the space of texts, compared with the texts of part names.

The backbone is Point Transformer V3 (Wu et al., 2024) in plain torch: attention within patches of points that
are serialized along space-filling curves.
"""
