"""Training of nanoGPT's model for a GPU, 64 pieces of 256 a step, beside PyTorch (extra `bench`)."""

from experiments.bench import Contenders, language


def contenders() -> Contenders:
    """As `language.contenders`, some 12 s a step; ours sums the gradients of 16 parts, PyTorch takes them at once."""
    return language.contenders(language.Work(language.LARGE, batch_size=64, num_steps=1, microbatches=16))
