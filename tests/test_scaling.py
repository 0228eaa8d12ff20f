"""The scaling benchmark's step runs on any mesh, holds what the layout says, and tells what it must."""

import pytest

from experiments import scaling


@pytest.mark.parametrize(("mesh", "laid", "share"), [("data=8", "replicated", 1), ("data=4,model=2", "fsdp", 1 / 8)])
def test_a_step_holds_its_share_and_says_what_it_sends(monkeypatch, mesh, laid, share):
    small = {"batch_size": 8, "length": 8, "num_layers": 1, "width": 32}
    config = scaling.Config
    monkeypatch.setattr(scaling, "Config", lambda **words: config(**small, **words))
    step, held, sent = scaling._stepper(mesh, 8, laid)
    step()
    _, whole, nothing = scaling._stepper("", 1, "replicated")
    assert share <= held / whole < 1.5 * share and nothing == "nothing"  # what only two split is split in two
    assert "all-reduce" in sent and ("all-gather" in sent) == (laid == "fsdp")


def test_without_a_command_it_says_what_there_is(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["scaling"])
    with pytest.raises(SystemExit) as ended:
        scaling.main()
    assert ended.value.code == 2 and "measured" in capsys.readouterr().err
