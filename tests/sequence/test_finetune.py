"""A folder of weights is tuned by a flag, and the run leaves one that Hugging Face's library reads."""

import shutil

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file, save_file

import experiments
from adl import data, run
from adl.run.catalogue import main
from adl.run.record import read_rows
from adl.sequence import published
from tests.data.test_tokenizer import write
from tests.nn.test_pretrained import BERT
from tests.run.test_fit import fails
from tests.run.test_folder import unchanged
from tests.sequence.test_published import KINDS

EXPERIMENT = "experiments.sequence.finetune"
TEXT = "--train_split train[:1] --test_split test[:1] --batch_size 8 --eval_every 3 --num_steps 6".split()
SMALL = ["--length", "16", "--learning_rate", "0.01", *TEXT]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    write("gpt2", "tokenizer.json", folder)
    torch.manual_seed(0)
    KINDS["gpt2"][0](KINDS["gpt2"][1]).save_pretrained(folder)
    return folder


def surprise(folder, text):
    """Nats a character of Hugging Face's network, in windows of 16 tokens that do not overlap."""
    peer = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    token = transformers.AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    row, total = [0, *token], 0.0
    with torch.no_grad():
        for begin in range(0, len(token), 16):
            piece = torch.tensor(row[begin : begin + 17])
            loss = torch.nn.functional.cross_entropy(peer(piece[None, :-1]).logits[0], piece[1:], reduction="sum")
            total += float(loss)
    return total / len(text)


def test_weights_are_tuned_and_saved_as_what_they_were(gpt2, tmp_path, capsys):
    """What is measured before and after is what Hugging Face's own network says of the folders before and after;
    a run goes on with the weights that it began with."""
    words = ["--weights", str(gpt2), "--workdir", str(tmp_path / "w"), *SMALL]
    run.main(EXPERIMENT, words)
    losses = {
        row["step"]: row["test/loss"] for row in read_rows(tmp_path / "w" / "metrics.jsonl") if "test/loss" in row
    }
    text = data.text.corpus("python_reference", "test[:1]")
    np.testing.assert_allclose(losses[0], surprise(gpt2, text), rtol=1e-4)
    np.testing.assert_allclose(losses[6], surprise(tmp_path / "w" / "weights", text), rtol=1e-4)
    assert losses[6] < losses[0] - 0.05
    capsys.readouterr()
    main(experiments, ["export", str(tmp_path / "w")])
    assert str(tmp_path / "w" / "weights") in capsys.readouterr().err.replace("\n", "")
    shutil.copytree(gpt2, tmp_path / "kept")
    try:
        tensors = load_file(gpt2 / "model.safetensors")
        save_file({name: tensor + 1 for name, tensor in tensors.items()}, gpt2 / "model.safetensors")
        with unchanged(tmp_path / "w"), fails(capsys, 2, "(1 changed of", "the first is model.safetensors)"):
            run.main(EXPERIMENT, words)
    finally:
        shutil.copytree(tmp_path / "kept", gpt2, dirs_exist_ok=True)


@pytest.mark.full
def test_a_complete_run_that_is_looked_at_again_keeps_its_weights(gpt2, tmp_path):
    words = ["--weights", str(gpt2), "--workdir", str(tmp_path / "w"), *SMALL]
    run.main(EXPERIMENT, words)
    saved = tmp_path / "w" / "weights" / "model.safetensors"
    before = saved.stat().st_mtime_ns
    run.main(EXPERIMENT, words)
    assert saved.stat().st_mtime_ns == before
    published.from_folder(tmp_path / "w" / "weights")


def test_what_cannot_be_tuned_is_refused_before_anything_is_written(gpt2, tmp_path, capsys):
    (tmp_path / "bert").mkdir()
    write("bert", "vocab.txt", tmp_path / "bert")
    config = transformers.BertConfig(**BERT)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    capsys.readouterr()
    for words, message in (
        (["--weights", "gpt2"], "weights gpt2: there is no such folder"),
        (["--weights", str(tmp_path / "bert")], "bert: this network goes on with no text; give a GPT-2"),
        (["--weights", str(gpt2), "--length", "41"], "--length 41: the network sees 40 tokens"),
        (["--weights", str(gpt2), "--length", "16", "--width", "64"], "--width"),
        (["--weights", str(gpt2), "--length", "16", "--first_share", "0.5"], "--first_share"),
    ):
        with pytest.raises(SystemExit) as stop:
            run.main(EXPERIMENT, [*TEXT, "--workdir", str(tmp_path / "w"), *words])
        told = capsys.readouterr().err
        assert stop.value.code == 2 and message in told and told.count("\n") == 1, told
        assert not (tmp_path / "w").exists()
