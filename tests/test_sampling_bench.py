"""The benchmark of samplers: one program each, in milliseconds a picture."""

from experiments.bench import sampling


def test_a_family_is_timed_by_its_own_sampler():
    found = sampling.contenders(4, families={"GAN": "gan.image"})
    assert [*found] == ["GAN"] and 0 < found["GAN"]() < 1000


def test_a_solver_is_timed_by_its_evaluations():
    experiment = sampling.built("diffusion.image")
    found = sampling.draws("diffusion", experiment, 4, (8, 16))
    ways = ("Euler", "ancestral", "Heun", "Runge-Kutta")
    assert [*found] == [f"diffusion, {way} {count}" for way in ways for count in (8, 16)]
    steps = [len(draw.args[0].__self__.sigmas) - 1 for draw in found.values()]
    assert steps == [8, 16, 8, 16, 4, 8, 2, 4]
