"""Find3D (Ma et al., 2024): every point of a shape gets a feature in the space of texts, to ask for its name.

The backbone is Point Transformer V3 (Wu et al., 2024) in plain torch: attention within patches of points that
are put in a row along space-filling curves.
"""
