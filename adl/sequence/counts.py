"""Language models that count: how often each token followed each short context in the training text.

What a network has learned beyond them is more than what stands close together.
"""

import numpy as np


def witten_bell(train: np.ndarray, test: np.ndarray, *, size: np.ndarray, longest: int = 6) -> list[float]:
    """Surprise at a text, in nats a unit, from what followed contexts of 0 ... `longest` tokens in another.

    p(w | h) = (c(h w) + t(h) p(w | h')) / (c(h) + t(h)),   t(h) the number of tokens seen after h, h' a token shorter

    p(w) without a context falls back on 1 / V. What stands before a text is a token that neither text has.

    Args:
      train: `[N]` tokens that are counted.
      test: `[M]` tokens that are judged.
      size: `[V]` units that each token counts for, such as characters.
      longest: >= 0, tokens of the longest context.
    Returns:
      `longest + 1` losses, by the length of the context.

    Source: Witten & Bell 1991, IEEE Transactions on Information Theory 37(4), method C, interpolated.
    """
    vocab_size, units = len(size), size[test].sum()
    prob, losses = np.full(len(test), 1 / vocab_size), []
    context = [np.zeros(len(text), np.int64) for text in (train, test)]  # a number for each context
    for length in range(longest + 1):
        seen, asked = context
        numbers = np.unique(np.concatenate([seen, asked]), return_inverse=True)[1]  # small, whatever the length
        seen, asked = numbers[: len(seen)], numbers[len(seen) :]
        seen_pair, pair = seen * vocab_size + train, asked * vocab_size + test
        pairs, count = np.unique(seen_pair, return_counts=True)
        place = np.searchsorted(pairs, pair).clip(max=len(pairs) - 1)
        num_pair = np.where(pairs[place] == pair, count[place], 0)
        num = np.bincount(seen, minlength=numbers.max() + 1)[asked]
        followers = np.bincount(pairs // vocab_size, minlength=numbers.max() + 1)[asked]
        prob = np.where(num > 0, (num_pair + followers * prob) / np.maximum(num + followers, 1), prob)
        losses.append(float(-np.log(prob).sum() / units))
        # The next context of a token: that of the token before it, and that token.
        context = [np.concatenate([[-1 - length], pairs_[:-1]]) for pairs_ in (seen_pair, pair)]
    return losses
