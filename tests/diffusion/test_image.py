"""The networks of `diffusion.image`: both answer for pictures, and a flag for the other one is refused."""

import jax
import jax.numpy as jnp
import pytest

from adl import run
from adl.run.claim import words
from experiments.diffusion.image import SMOKE, Config, network

KEY = jax.random.key(0)
OTHERS = {name: value for name, value in SMOKE.items() if name != "num_blocks"}


@pytest.mark.parametrize("name", ["unet", "dit"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 5, 3)])
def test_either_network_answers_for_pictures(name, shape):
    model = network(Config(network=name, width=8), shape[0], 10)
    args = jnp.ones((2, *shape)), jnp.zeros(2), jnp.zeros(2, int)
    assert jax.eval_shape(model.init_with_output, KEY, *args)[0].shape == (2, *shape)


@pytest.mark.parametrize("flags", [("--network", "dit", "--num_blocks", "2"), ("--num_layers", "2")])
def test_an_option_of_the_other_network_is_refused(flags, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run.main("experiments.diffusion.image", [*words(OTHERS), *flags, "--workdir", str(tmp_path / "run")])
    assert f"{' '.join(flags[-2:])}: nothing depends on it here" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
