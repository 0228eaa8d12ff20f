"""What a network does not look at is read from no configuration, so that a flag for it is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import run
from adl.core import BadInput
from adl.pixel.networks import NETWORKS, OF_WIDTH, OPTIONS, num_weights, of_size
from adl.run.claim import words
from experiments.pixel import image


def test_every_network_has_the_options_that_it_is_said_to_look_at():
    for kind, network in NETWORKS.items():
        assert {*OPTIONS[kind]} <= {*network.__dataclass_fields__}


def test_an_option_of_another_network_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run.main("experiments.pixel.image", [*words(image.SMOKE), "--hidden", "8", "--workdir", str(tmp_path / "run")])
    assert "--hidden 8: nothing depends on it here" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_of_a_budget_is_as_wide_as_it_can_be(kind):
    """Of pictures of two channels with a class; none is made wider by a unit within the budget."""
    of = {"num_levels": 5, "num_outputs": 5, "num_classes": 3, "num_layers": 2, "dropout": 0.1}
    model = of_size(kind, (4, 3, 2), 9000, **of)
    width = model.hidden[0] if kind == "made" else model.width
    unit = {"made": 1, "pixelcnn": 4, "gated": 2, "transformer": 4}[kind]
    wider = model.clone(**OF_WIDTH[kind](width + unit))
    assert num_weights(model) <= 9000 < num_weights(wider)
    assert getattr(model, "dropout", 0.1) == 0.1 and model.num_classes == 3
    assert of_size(kind, (4, 3, 2), num_weights(wider), **of) == wider
    with pytest.raises(BadInput, match=f"the narrowest {kind} network has .* parameters, more than 10"):
        of_size(kind, (4, 3, 2), 10, **of)


def test_weights_are_counted_as_they_are_made():
    model = of_size("made", (2, 2, 1), 200, num_levels=3, num_outputs=3)
    made = model.init(jax.random.key(0), jnp.zeros((1, 2, 2, 1), jnp.int32))
    assert num_weights(model) == sum(leaf.size for leaf in jax.tree.leaves(made))


def test_pictures_without_classes_are_judged_by_none(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(np.uint8)
    np.savez(tmp_path / "plain.npz", image=pixels)
    np.savez(tmp_path / "known.npz", image=pixels, label=np.arange(40) % 2)

    def columns(name: str, classes: str) -> set[str]:
        return {*image.load(image.Config(dataset=str(tmp_path / name), classes=classes))[0].names}

    assert columns("plain.npz", "judge") == columns("known.npz", "unknown") == {"image"}
    assert columns("known.npz", "judge") == columns("known.npz", "seen") == {"image", "label"}
    with pytest.raises(BadInput, match="has no label"):
        columns("plain.npz", "seen")
