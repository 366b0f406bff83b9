"""Point Transformer V3: the network from points to features that Find3D and the learned backbone share."""
