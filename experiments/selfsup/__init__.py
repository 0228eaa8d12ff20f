"""Representations without labels: BYOL, DeepCluster, CLIP."""
