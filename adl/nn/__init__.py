"""Blocks of networks that two or more families use: flax.linen modules and embeddings."""
