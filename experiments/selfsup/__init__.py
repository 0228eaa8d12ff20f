"""Representations without labels: BYOL, DeepCluster."""
