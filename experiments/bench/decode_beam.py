"""Four beams a text, beside Hugging Face (extra `bench`)."""

from experiments.bench import Contenders, decode


def contenders() -> Contenders:
    """As the benchmark `decode`, by beam search."""
    return decode.contenders(num_beams=4)
