"""Benchmarks: contenders on the same work, interleaved in one process, medians and ratios.

`python -m experiments.bench runner` times the runner against a bare jitted loop, `mixture` EM against scikit-learn's,
`ppo` the environment in the step against the environment beside it (extra `bench`), `nuts` the sampler against
BlackJAX's (extra `test`), in milliseconds for an effective draw of the breast-cancer posterior, warm-up included.
"""

import itertools
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro
from jax import Array
from rich.console import Console
from rich.table import Table

from adl.core import BadInput, Key, jitted, over_seeds, repeated, trace
from adl.run.config import did_you_mean
from adl.run.fit import fit
from adl.run.launch import prepare
from adl.run.program import Program
from adl.sampling import diagnostics

# name -> a function that runs the contender once and says its milliseconds a unit; the first is the reference
Contenders = dict[str, Callable[[], float]]


@dataclass(frozen=True)
class Config:
    """What to time, and how often."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()  # benchmarks; none: all
    rounds: int = 7  # times each contender runs, in turn


def runner(num_steps: int = 2000) -> Contenders:
    """A step of about 1 ms (an MLP on digits): a bare jitted loop, and the runner with its records and checkpoints."""
    from experiments import classify

    config = classify.Config(model="mlp", hidden_width=512, augment="none", num_steps=num_steps + 1, eval_every=10**6)
    experiment = classify.build(config, None)
    algorithm, batches = jitted(experiment.algorithm), experiment.batches
    key = jax.random.key(0)

    def bare() -> float:
        state = algorithm.init(key, batches[0])
        state, _ = algorithm.step(key, state, batches[0])
        started = time.perf_counter()
        for step in range(num_steps):
            state, metrics = algorithm.step(jax.random.fold_in(key, step), state, batches[step])
        jax.block_until_ready((state, metrics))
        return 1e3 * (time.perf_counter() - started) / num_steps

    program = Program(
        lambda config, axis: classify.build(config, axis)._replace(probes={}, final={}, figures={}), config
    )

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            fit(program, Path(folder), "bench")
            return json.loads((Path(folder) / "timing.json").read_text())["ms_per_step"]

    return {"bare jitted loop": bare, "runner": run}


def mixture(num_points: int = 100_000, num_steps: int = 10) -> Contenders:
    """EM for 32 Gaussians with full covariances in 16 dimensions, from one start: scikit-learn's, and ours.

    Both end with a pass for the likelihood, as scikit-learn does; times are of a step, with the share of that pass.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    from adl.latent import gaussian_mixture
    from adl.latent.mixture import log_prob

    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(32, 16))
    x = (centres[rng.integers(32, size=num_points)] + rng.normal(size=(num_points, 16))).astype(np.float32)
    algorithm, key = jitted(gaussian_mixture(32)), jax.random.key(0)
    score = jax.jit(lambda state: log_prob(state, batch["x"]).mean())
    batch = {"x": jax.device_put(x)}
    start = jax.tree.map(np.array, algorithm.init(key, batch))
    found: dict[str, float] = {}

    def theirs(dtype: str) -> Callable[[], float]:
        precisions = np.linalg.inv(start.covariances.astype(float))
        fitted = GaussianMixture(
            32,
            max_iter=num_steps,
            tol=0,
            weights_init=(start.weights.astype(float) / start.weights.sum(dtype=float)).astype(dtype),
            means_init=start.means.astype(dtype),
            precisions_init=((precisions + precisions.swapaxes(1, 2)) / 2).astype(dtype),
        )
        points = x.astype(dtype)

        def fit() -> float:
            started = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted.fit(points)
            took = time.perf_counter() - started
            found[dtype] = fitted.score(points)
            return 1e3 * took / num_steps

        return fit

    def ours() -> float:
        state = jax.device_put(start)
        started = time.perf_counter()
        for _ in range(num_steps):
            state, _ = algorithm.step(key, state, batch)
        found["adl"] = float(score(state))
        return 1e3 * (time.perf_counter() - started) / num_steps

    contenders = {"scikit-learn, float64": theirs("float64"), "scikit-learn, float32": theirs("float32"), "adl": ours}
    for contender in contenders.values():
        contender()
    if max(found.values()) - min(found.values()) > 1e-4:
        raise SystemExit(f"error: the contenders do not agree: log-likelihoods {found}")
    return contenders


def ppo(num_steps: int = 60, peer_steps: int = 10) -> Contenders:
    """1,024 environment steps of PPO on CartPole, of 488 in a training run, each round where the last one left off."""
    from experiments import rl_ppo
    from experiments.peers import ppo_torch

    config = rl_ppo.Config(num_steps=10**6)  # the learning rate stays
    ppo_torch.require_equal_losses(config)
    training = ppo_torch.train(config)

    def beside() -> float:
        started = time.perf_counter()
        for _ in range(peer_steps):
            next(training)
        return 1e3 * (time.perf_counter() - started) / peer_steps

    def inside(num_seeds: int) -> Callable[[], float]:
        algorithm = rl_ppo.build(config, None).algorithm
        algorithm = over_seeds(algorithm, num_seeds) if num_seeds > 1 else algorithm
        algorithm, key = jitted(repeated(algorithm, num_steps)), jax.random.key(0)
        state = [algorithm.init(key, ())]

        def run() -> float:
            started = time.perf_counter()
            state[0], metrics = algorithm.step(key, state[0], ())
            jax.block_until_ready((state, metrics))
            return 1e3 * (time.perf_counter() - started) / num_steps / num_seeds

        return run

    return {
        "PyTorch and Gymnasium, as CleanRL": beside,
        "adl, one seed": inside(1),
        "adl, five seeds in one program, each": inside(5),
    }


def nuts(num_chains: int = 8, num_warmup: int = 500, num_draws: int = 1000) -> Contenders:
    """NUTS with Stan's warm-up on the default of `sampling_nuts`, ours and BlackJAX's: chains as lanes of one program.

    A run draws by a key of its own; its unit is one effective draw (bulk) of the parameter that has fewest. All means
    must lie within 5 standard errors of the reference.
    """
    import blackjax

    from experiments import sampling_nuts

    config = sampling_nuts.Config(num_chains=num_chains, num_steps=num_warmup, num_draws=num_draws)
    target = sampling_nuts.logistic(config)
    algorithm = sampling_nuts.algorithm(config, target)
    warmup = blackjax.window_adaptation(blackjax.nuts, target.log_density)
    dim = len(target.names)

    def ours(key: Key) -> Array:
        init_key, warmup_key, draw_key = jax.random.split(key, 3)
        state, _ = trace(algorithm, num_warmup, lambda chain: ())(warmup_key, algorithm.init(init_key, ()))
        return trace(algorithm, num_draws, lambda chain: chain.position)(draw_key, state)[1].swapaxes(0, 1)

    def theirs(key: Key) -> Array:
        def chain(key):
            start_key, warmup_key, draw_key = jax.random.split(key, 3)
            start = jax.random.uniform(start_key, (dim,), minval=-2.0, maxval=2.0)
            (state, found), _ = warmup.run(warmup_key, start, num_warmup)
            kernel = blackjax.nuts(target.log_density, **found).step

            def body(state, key):
                state, _ = kernel(key, state)
                return state, state.position

            return jax.lax.scan(body, state, jax.random.split(draw_key, num_draws))[1]

        return jax.vmap(chain)(jax.random.split(key, num_chains))

    def contender(sample: Callable[[Key], Array]) -> Callable[[], float]:
        sample, keys = jax.jit(sample), map(jax.random.key, itertools.count())

        def run() -> float:
            started = time.perf_counter()
            draws = jax.block_until_ready(sample(next(keys)))
            seconds = time.perf_counter() - started
            error = np.abs(draws.mean((0, 1)) - target.mean) / diagnostics.standard_error(draws)
            assert error.max() < 5, f"the means are off by {error.max():.1f} standard errors"
            return 1e3 * seconds / float(diagnostics.bulk_ess(draws).min())

        return run

    return {"BlackJAX": contender(theirs), "adl": contender(ours)}


BENCHMARKS: dict[str, Callable[[], Contenders]] = {"runner": runner, "mixture": mixture, "ppo": ppo, "nuts": nuts}


def compare(name: str, rounds: int) -> Table:
    """Runs the contenders of a benchmark in turn, after one round to warm up; their medians, spreads and ratios.

    Raises:
      BadInput: if there is no such benchmark, or a peer is not installed.
    """
    if name not in BENCHMARKS:
        raise BadInput(f"no benchmark {name}; there are {', '.join(BENCHMARKS)}{did_you_mean(name, list(BENCHMARKS))}")
    try:
        contenders = BENCHMARKS[name]()
    except ModuleNotFoundError as error:
        raise BadInput(
            f"the benchmark {name} needs {error.name.partition('.')[0]}: pip install -e '.[bench]'"
        ) from None
    for contender in contenders.values():
        contender()
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for _ in range(rounds):
        for contender, run in contenders.items():
            times[contender].append(run())
    reference = np.array(next(iter(times.values())))
    table = Table("contender", "median ms", "min", "max", "speed against the first", title=f"{name}, {rounds} rounds")
    for contender, values in times.items():
        ratio = statistics.median(reference / np.array(values))
        numbers = [statistics.median(values), min(values), max(values), ratio]
        table.add_row(contender, *(f"{number:.4g}" for number in numbers))
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; exit code 2 where a benchmark cannot run."""
    config = tyro.cli(Config, args=argv, prog="python -m experiments.bench", description=__doc__, use_underscores=True)
    prepare()
    try:
        for name in config.names or BENCHMARKS:
            Console().print(compare(name, config.rounds))
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
