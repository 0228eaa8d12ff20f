"""Benchmarks of tuning, translating and serving do the same work as their peers: losses and answers are equal."""

import numpy as np
import pytest

pytest.importorskip("transformers")

from experiments.bench import finetune, ours, serve, translate

TINY = {"n_layer": 1, "n_head": 2, "n_embd": 8, "n_positions": 16, "vocab_size": 11}


@pytest.mark.parametrize(
    ("bench", "work"),
    [
        (finetune, finetune.Tuning(TINY, 2, 3)),
        (translate, translate.Pairs({"num_layers": 1, "num_heads": 2, "width": 8}, 3, 6, 3, 11)),
    ],
    ids=["finetune", "translate"],
)
def test_the_first_steps_lose_as_much_as_pytorch_s(bench, work):
    (_, mine), (_, peer) = ours(work)(), bench.theirs(work)()
    np.testing.assert_allclose(mine, peer, rtol=2e-4)


def test_ragged_prompts_are_answered_as_hugging_face_does():
    """Which `contenders` refuses to go on without."""
    model = {**TINY, "n_positions": 32}
    found = serve.contenders(model, sizes=(1, 3), shortest=2, longest=5, num_tokens=4)
    assert [*found] == [f"{who}, {size} prompts" for size in (1, 3) for who in ("Hugging Face", "adl")]
