"""The benchmark of samplers: one program each, in milliseconds a picture."""

from experiments.bench import sampling


def test_a_family_is_timed_by_its_own_sampler():
    found = sampling.contenders(4, families={"GAN": "gan.image"})
    assert [*found] == ["GAN"] and 0 < found["GAN"]() < 1000


def test_a_solver_is_timed_by_its_evaluations():
    experiment = sampling.built("diffusion.image")
    found = sampling.draws("diffusion", experiment, 4, (4, 8))
    assert [*found] == [f"diffusion, {way} {count}" for way in ("Euler", "Heun") for count in (4, 8)]
    steps = [len(draw.args[0].__self__.sigmas) - 1 for draw in found.values()]
    assert steps == [4, 8, 2, 4]
