"""A plan's numbers are those of arithmetic that can be done by hand."""

import importlib.util
import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import experiments
from adl import run
from adl.core import Algorithm, BadInput, Learner, Mean, descend
from adl.run.catalogue import plans
from adl.run.chip import CHIPS
from adl.run.experiment import Definition
from adl.run.plan import Memory, Plan, plan, show

IN, OUT = 48, 24


@dataclass(frozen=True)
class Config(run.Config):
    batch_size: run.Count = 64


def regression(config, loaded, axis):
    """One matrix by gradient descent: a product forward, one backward."""

    def init(key, batch):
        return Learner.create({"params": jnp.zeros((IN, OUT))}, optax.sgd(0.1))

    def loss(key, params, extras, batch):
        return {"loss": Mean.of((batch @ params) ** 2)}, extras

    batches = [np.zeros((config.batch_size, IN), np.float32)]
    return run.Experiment(Algorithm(init, descend(loss, optax.sgd(0.1), axis)), batches)


def product(config, loaded, axis):
    """A step that is one product, and nothing else."""

    def step(key, state, batch):
        return batch @ state, {"loss": Mean(jnp.zeros(()), jnp.ones(()))}

    batches = [np.broadcast_to(np.float32(0), (config.batch_size, config.batch_size))]
    return run.Experiment(Algorithm(lambda key, batch: jnp.zeros((config.batch_size, OUT)), step), batches)


def planned(build, topology="cpu", **fields):
    return plan(Definition(build, Config), Config(**fields), topology)


def test_flops_of_a_product():
    cost = planned(product, lift="jit")
    assert cost.flops == 2 * 64 * 64 * OUT
    assert cost.num_devices == 1 and cost.collectives == () and cost.fits


def test_memory_of_a_product():
    memory = planned(product, lift="jit").memory
    state, batch = 4 * 64 * OUT, 4 * 64 * 64
    assert state + batch <= memory.arguments <= state + batch + 64  # and a key, where the program wants it
    assert memory.outputs <= 64  # the new state takes the place of the old one


@pytest.mark.parametrize("lift", ["shard", "pmap"])
def test_data_parallel_step_reduces_its_gradient(lift):
    cost = planned(regression, lift=lift)
    (reduction,) = cost.collectives
    gradient = 4 * IN * OUT
    assert reduction.kind == "all-reduce" and cost.num_devices == 8
    assert gradient <= reduction.payload <= gradient + 32  # and the loss: total, count, and what counts them
    np.testing.assert_allclose(reduction.sent, 2 * 7 / 8 * reduction.payload)


def test_fully_sharded_state_takes_an_eighth():
    whole = planned(regression, lift="shard").memory.arguments
    part = planned(regression, lift="shard", layout="fsdp").memory.arguments
    parameters = 4 * IN * OUT
    np.testing.assert_allclose(whole - part, parameters * 7 / 8)


def test_several_steps_a_call_cost_one_step_and_hold_all_their_batches():
    one, four = (planned(regression, lift="jit", steps_per_call=n) for n in (1, 4))
    assert four.flops == one.flops
    assert four.memory.arguments - one.memory.arguments >= 3 * 4 * 64 * IN


def test_batch_that_does_not_divide_is_bad_input():
    with pytest.raises(BadInput, match="--batch_size 60: it must be a multiple of 8, the devices that share it"):
        planned(regression, lift="shard", batch_size=60)


def chains(config, loaded, axis):
    """A step that wants no data."""

    def step(key, state, batch):
        return state @ state, {"loss": Mean(jnp.zeros(()), jnp.ones(()))}

    return run.Experiment(Algorithm(lambda key, batch: jnp.zeros((OUT, OUT)), step))


def test_examples_are_those_of_the_batch_not_of_the_configuration(capsys):
    """Batches of a whole split do not have `--batch_size` rows, and chains see no examples at all."""

    def whole(config, loaded, axis):
        return regression(config, loaded, axis)._replace(batches=[np.zeros((352, IN), np.float32)])

    assert planned(regression).batch_size == 64 and planned(whole).batch_size == 352
    cost = planned(chains)
    assert cost.batch_size is None and cost.flops == 2 * OUT**3
    show(cost)
    text = capsys.readouterr().out
    assert "step time" in text and "examples" not in text


def made(**fields):
    memory = Memory(arguments=2**30, outputs=0, temporaries=2**30, code=0)
    cost = Plan("v5e:4x4", "shard", 16, 1600, CHIPS["v5e"], memory, 197e9, 8.19e9, (), 1.0, ("a note",))
    return cost._replace(**fields)


def test_step_takes_as_long_as_its_scarcest_resource():
    cost = made()
    np.testing.assert_allclose(list(cost.times.values()), [1e-3, 1e-2, 0])
    np.testing.assert_allclose(cost.step_time, 1e-2)


def test_table_says_whether_it_fits(capsys):
    show(made())
    text = capsys.readouterr().out
    assert "it fits" in text and "160,000 examples/s" in text and "12.5%" in text and "note: a note" in text
    show(made(memory=Memory(17 * 2**30, 0, 0, 0)))
    assert "it does not fit" in capsys.readouterr().out
    show(made(memory=None, flops=0.0, bytes_accessed=0.0))
    assert "it does not fit" in capsys.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="needs libtpu")
class TestTPU:
    @pytest.mark.parametrize("lift", ["auto", "shard", "pmap"])
    def test_step_of_a_slice_reduces_its_gradient(self, lift):
        cost = planned(regression, "v5e:4x4", lift=lift, steps_per_call=2)
        assert cost.num_devices == 16 and cost.fits and cost.chip == CHIPS["v5e"]
        assert sum(c.payload for c in cost.collectives if c.kind == "all-reduce") >= 4 * IN * OUT

    def test_step_that_does_not_fit_says_so(self):
        cost = planned(product, "v5e:1x1", batch_size=2**17)
        assert not cost.fits and any("HBM" in note for note in cost.notes)


def test_of_defaults_the_batch_is_the_next_that_devices_share(monkeypatch, capsys):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)  # this process has its devices
    assert plans(experiments, ["linear.bias_variance"], topology="cpu")  # 100 data sets a step, on eight
    assert re.search(r"linear.bias_variance +│ +104 │", capsys.readouterr().out)
