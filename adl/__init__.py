"""JAX functional research code for advanced deep learning: pure algorithms, one runner, measured numbers."""
