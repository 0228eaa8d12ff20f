"""LSTMs that look back: word by word is all at once, padding is nothing, and a cell is PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

from adl import data
from adl.core import Learner
from adl.data.tokens import Tokens
from adl.data.translations import Translations
from adl.measure.bleu import corpus_bleu
from adl.sequence.additive import AdditiveTranslator
from adl.sequence.translated import by_beams, corpus_judged
from adl.sequence.translation import reader_of

MODEL = AdditiveTranslator(7, 4)
RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.integers(7, size=(2, 5)), RNG.integers(7, size=(2, 6))
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], bool)
VARIABLES = MODEL.init(jax.random.key(0), SOURCE, TARGET)


def whole(source=SOURCE, mask=MASK):
    return MODEL.apply(VARIABLES, source, TARGET, source_mask=mask)


def test_word_by_word_is_all_at_once():
    read, carry = reader_of(MODEL, VARIABLES, SOURCE, 6, mask=MASK)
    logits = []
    for t in range(6):
        now, carry = read(TARGET[:, t : t + 1], carry)
        logits.append(now)
    np.testing.assert_allclose(jnp.concatenate(logits, 1), whole(), atol=1e-5)


def test_padding_changes_nothing():
    alone = MODEL.apply(VARIABLES, SOURCE[1:, :3], TARGET[1:])
    np.testing.assert_allclose(whole()[1:], alone, atol=1e-5)


def test_a_step_is_pytorch_s_lstm_with_what_was_seen_as_input():
    """The first: of the token and of the context that the weights gather."""
    params = jax.tree.map(np.asarray, VARIABLES["params"])
    memory = np.asarray(MODEL.apply(VARIABLES, SOURCE, mask=MASK, method="encode"))
    _, seen = MODEL.apply(VARIABLES, SOURCE, TARGET, source_mask=MASK, mutable=["intermediates"])
    weights = np.asarray(seen["intermediates"]["weights"][0])
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    context = (weights[:, 0, :, None] * memory).sum(1)
    first = np.tanh(memory[:, 0, 4:] @ params["start"]["kernel"] + params["start"]["bias"])
    cell = torch.nn.LSTMCell(4 + 8, 4)
    order = [0, 1, 2, 3]  # input, forget, content, output, as PyTorch has them
    kernel = np.concatenate([params["input"]["kernel"], params["context"]])
    with torch.no_grad():
        cell.weight_ih.copy_(
            torch.tensor(np.concatenate(np.split(kernel.T, 4)).reshape(4, 4, -1)[order].reshape(16, -1))
        )
        cell.weight_hh.copy_(torch.tensor(params["hidden"].T.copy()))
        cell.bias_ih.copy_(torch.tensor(params["input"]["bias"]))
        cell.bias_hh.zero_()
        embedded = params["tokens"]["embedding"][TARGET[:, 0]]
        given = torch.tensor(np.concatenate([embedded, context], 1))
        out, _ = cell(given, (torch.tensor(first), torch.zeros(2, 4)))
    last = np.concatenate([out.numpy(), context, embedded], 1) @ params["last"]["kernel"] + params["last"]["bias"]
    want = np.tanh(last) @ params["head"]["kernel"] + params["head"]["bias"]
    np.testing.assert_allclose(whole()[:, 0], want, atol=1e-5)


def test_one_beam_is_the_likeliest_word_each_time():
    of = {"num_tokens": 5, "start": 0}
    greedy = by_beams(MODEL, VARIABLES, jnp.asarray(SOURCE), jnp.asarray(MASK), num_beams=1, **of)
    said = jnp.concatenate([jnp.zeros((2, 1), int), greedy[:, :-1]], 1)
    likeliest = MODEL.apply(VARIABLES, SOURCE, said, source_mask=MASK).argmax(-1)
    ended = np.cumsum(np.asarray(said)[:, 1:] == 0, 1)
    real = np.concatenate([np.zeros((2, 1)), ended], 1) == 0
    np.testing.assert_array_equal(np.asarray(greedy)[real], np.asarray(likeliest)[real])


def test_the_bleu_of_a_probe_is_that_of_what_was_written():
    """Of whole texts as they are read, by beams and greedily, and for each of two seeds."""
    letters = Tokens(lambda text: np.array([ord(c) - 96 for c in text]), spelled_out, (), np.ones(7), 0)
    columns = {"source": SOURCE, "source_mask": MASK, "target": TARGET, "target_mask": np.ones((2, 6), bool)}
    split = data.Split(columns)
    known = Translations(split, {"test": split}, {"test": ([], ["a b c d e", "b a"])}, letters)
    state = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), {"lstm": Learner(VARIABLES["params"], (), {})})
    for num_beams in (1, 2):
        probe = corpus_judged({"lstm": MODEL}, known, "test", num_beams=num_beams, num_tokens=5)
        told = jax.jit(jax.vmap(probe, (None, 0)))(jax.random.key(0), state)
        for seed in range(2):
            written = [known.written(row) for row in np.asarray(told["lstm"][seed])]
            want = corpus_bleu(written, known.texts["test"][1])
            np.testing.assert_allclose(told["lstm_bleu"].value[seed], want, rtol=1e-5)


def spelled_out(tokens) -> str:
    return " ".join(chr(96 + int(token)) for token in tokens)
