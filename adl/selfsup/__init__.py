"""Representations learned without labels: from what views of a picture share, and from their own clusters."""
