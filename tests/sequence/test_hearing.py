"""What stands beyond a sound's end is not heard; what disturbs it in training is what was asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.sequence import sounds

RNG = np.random.default_rng(0)
LENGTH = np.array([700, 1000], np.int32)
AUDIO = (RNG.integers(-9000, 9000, (2, 1000)) * (np.arange(1000) < LENGTH[:, None])).astype(np.int16)


@pytest.mark.parametrize("kind", sounds.NAMES)
def test_padding_is_not_heard(kind):
    """Silence that is counted as padding may be as long as it likes."""
    of = {"rate": 8000, "width": 4, "dropout": 0.0, "hidden": 0.0, "dtype": jnp.float32}
    model = sounds.hearing(kind, 3, **of, window=0.008, hop=0.008, num_bands=8)
    x = sounds.sounding(jnp.asarray(AUDIO), jnp.asarray(LENGTH))
    variables = model.init(jax.random.key(0), x)
    longer = jnp.pad(x, ((0, 0), (0, 200), (0, 0)))
    found = [jax.jit(model.apply)(variables, each) for each in (x, longer)]
    assert found[0].shape == (2, 3)
    np.testing.assert_allclose(*found, atol=1e-5)


def test_a_sound_begins_later_in_noise_of_its_own():
    batch = {"audio": jnp.asarray(AUDIO), "length": jnp.asarray(LENGTH), "label": jnp.array([0, 1])}
    x, label = sounds.heard(noise=0.0, shift=0.2)(jax.random.key(1), batch)
    delay = int(x[0, :, 1].sum()) - 700
    assert 0 < delay <= 200 and not x[0, :delay, 0].any() and label.tolist() == [0, 1]
    np.testing.assert_allclose(x[0, delay : delay + 700, 0], AUDIO[0, :700] / 2**15)
    noisy, _ = sounds.heard(noise=0.5, shift=0.0)(jax.random.key(2), batch)
    rest = np.asarray(noisy[..., 0]) - AUDIO / 2**15
    assert (rest[0, 700:] == 0).all()
    ratio = rest[:, :700].std(1) / (AUDIO[:, :700] / 2**15).std(1)
    assert (ratio < 0.55).all() and ratio[0] != ratio[1]


def test_one_run_of_bands_and_one_of_times_is_hidden():
    """Each up to the share that was asked for, and others in each row."""
    h = np.asarray(sounds.spec_augment(jax.random.key(0), jnp.ones((64, 50, 40)), share=0.5))
    bands, times = (h == 0).all(1), (h == 0).all(2)
    for hidden, size in ((bands, 40), (times, 50)):
        assert hidden.sum(1).max() <= size // 2 + 1 and len({*hidden.sum(1)}) > 5
        assert (np.abs(np.diff(hidden.astype(int), axis=1)).sum(1) <= 2).all()
    np.testing.assert_array_equal(h == 0, bands[:, None] | times[..., None])
