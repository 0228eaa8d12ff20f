"""Pieces of a text are a pure function of the step; an evaluation predicts every token exactly once, in order."""

import numpy as np
import pytest
from scipy.stats import chisquare

from adl.core import BadInput
from adl.data import Split, text

ROW = np.arange(100, 123)  # 23 tokens, each the successor of the last


def test_a_corpus_is_its_texts_in_lines_of_their_own(monkeypatch):
    texts = np.array([b"ab\n", "cé .".encode(), b"", b"the f"], object)
    parts = {"train": slice(3), "test": slice(3, 4), "cut": slice(1, 2)}
    monkeypatch.setattr(text, "load", lambda _, part, __, **how: Split({"text": texts[parts[part]]}))
    assert text.corpus("any", "train+test") == "ab\ncé .\n\nthe f"
    assert text.corpus("any", "cut+test") == "cé .the f"  # one text that was cut into splits
    monkeypatch.setattr(text, "load", lambda *_, **how: Split({"text": texts[:0]}))
    with pytest.raises(BadInput, match="no text in train"):
        text.corpus("any", "train")


def test_random_pieces_depend_on_the_step_alone_and_come_from_everywhere():
    batches, again = (text.random_pieces(ROW, 50, 4, seed=3) for _ in range(2))
    want = {step: again[step]["token"] for step in (9, 2, 0)}
    for step in (0, 9, 2, 2):
        np.testing.assert_array_equal(batches[step]["token"], want[step])
    token = np.concatenate([batches[step]["token"] for step in range(40)])
    np.testing.assert_array_equal(np.diff(token), 1)
    counts = np.bincount(token[:, 0] - 100, minlength=19)
    assert len(counts) == 19 and chisquare(counts).pvalue > 1e-3
    assert not np.array_equal(text.random_pieces(ROW, 50, 4, seed=4)[0]["token"], want[0])


@pytest.mark.parametrize("batch_size", [1, 3, 23])
def test_streams_read_on_and_leave_nothing_out(batch_size):
    batches = text.streams(ROW, batch_size, 4)
    token = np.concatenate([batches[step]["token"][:, :-1] for step in range(23)], 1)
    steps = np.mod(np.diff(token), 23)
    np.testing.assert_array_equal(steps, 1)  # the first follows on the last
    np.testing.assert_array_equal(np.sort(token, 1), np.repeat(ROW, 4)[None].repeat(batch_size, 0))
    for step in (0, 7):
        np.testing.assert_array_equal(batches[step]["token"][:, -1], batches[step + 1]["token"][:, 0])


@pytest.mark.parametrize("make", [text.random_pieces, text.streams])
def test_shares_make_the_whole(make):
    batches = make(ROW, 6, 4)
    parts = [batches.share(index, 3)[5]["token"] for index in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts), batches[5]["token"])
    with pytest.raises(BadInput, match="multiple of 4"):
        batches.share(0, 4)


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(BadInput, match="no piece of 24"):
        text.random_pieces(ROW, 2, 23)
    with pytest.raises(BadInput, match="not as many rows"):
        text.streams(ROW, 24, 4)
    with pytest.raises(BadInput, match="stride"):
        text.windows(ROW, 4, start=0, stride=5)


@pytest.mark.parametrize("num_tokens", [1, 4, 5, 12, 23])
@pytest.mark.parametrize("stride", [0, 1, 3, 4])
def test_windows_predict_each_token_once_from_what_came_before(num_tokens, stride):
    cut = text.windows(ROW[:num_tokens], 4, start=99, stride=stride).arrays
    token, counts = cut["token"], cut["mask"] > 0
    np.testing.assert_array_equal(token[:, 1:][counts], ROW[:num_tokens])  # once, and in order
    np.testing.assert_array_equal(token[:, :-1][counts], ROW[:num_tokens] - 1)  # 99 begins
    seen = np.broadcast_to(np.arange(1, 5), counts.shape)[counts]
    assert (seen[4:] >= 4 - (stride or 4) + 1).all()


@pytest.mark.parametrize("num_tokens", [1, 8, 23])
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_parallel_streams_predict_each_token_once_and_read_on(num_tokens, batch_size):
    cut = text.parallel_streams(ROW[:num_tokens], batch_size, 4, start=99)
    rows = cut["token"].swapaxes(0, 1)  # [B, W, T + 1]
    counts = cut["mask"].swapaxes(0, 1) > 0
    np.testing.assert_array_equal(rows[..., 1:][counts], ROW[:num_tokens])
    np.testing.assert_array_equal(rows[..., :-1][counts], ROW[:num_tokens] - 1)
    is_next = counts[:, 1:, 0]  # a piece that counts goes on where the last one of its stream stopped
    np.testing.assert_array_equal(rows[:, 1:, 0][is_next], rows[:, :-1, -1][is_next])


def test_texts_are_both_splits_in_the_tokens_of_the_first(monkeypatch):
    said = {"train": "abba\n", "test": "abc"}
    monkeypatch.setattr(text, "corpus", lambda name, split, data_dir: said[split])
    train, test, tokens = text.texts("any")
    assert tokens.decode(train) == "abba\n" and tokens.decode(test) == "ab\N{REPLACEMENT CHARACTER}"


def test_continued_pieces_are_the_texts_from_its_beginning_to_its_end():
    tokens = np.arange(50)
    prompt, rest = text.continued(tokens, 4, 3, 5)
    whole = np.concatenate([prompt, rest], 1)
    assert prompt.shape == (4, 3) and rest.shape == (4, 5)
    np.testing.assert_array_equal(whole, whole[:, :1] + np.arange(8))
    np.testing.assert_array_equal(whole[:, 0], [0, 14, 28, 42])
    with pytest.raises(BadInput, match="no piece of 8"):
        text.continued(tokens[:7], 4, 3, 5)
