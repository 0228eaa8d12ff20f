"""Texts of a network of the size of GPT-2's smallest, beside Hugging Face (extra `bench`)."""

from experiments.bench import Contenders, decode


def contenders() -> Contenders:
    """As the benchmark `decode`, with 124M parameters, and fewer tokens."""
    return decode.contenders(decode.LARGE, num_tokens=16)
