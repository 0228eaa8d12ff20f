"""Training of nanoGPT's model for a GPU, here with 4 pieces of 256 a step, beside PyTorch (extra `bench`)."""

from experiments.benchmarks import Contenders, language


def contenders() -> Contenders:
    """As `language.contenders`; a step of nanoGPT has 64 pieces, which on a CPU takes as much longer."""
    return language.contenders(language.LARGE, batch_size=4, num_steps=1)
