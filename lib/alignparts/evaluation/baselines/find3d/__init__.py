"""Find3D (Ma et al., 2024): a feature per point in the space of texts, compared with the texts of part names.

The backbone is :class:`alignparts.model.backbone.point_transformer.PointTransformer`.
"""
