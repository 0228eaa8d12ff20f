"""The contract: what a batch moves, what a probe sees, how measurements merge.

*A step moves, a probe looks, a lift decides where and how often.*

Where does a quantity live? If it changes, it is state. If a person chose it, it is an argument of the
factory. If it arrives, it is the batch. If it is luck, it is the key.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
import optax

Array = jax.Array
Key = jax.Array  # a typed PRNG key, `jax.random.key(seed)`
PyTree = Any
State = TypeVar("State")
Batch = TypeVar("Batch")


class Mean(NamedTuple):
    """A weighted mean as a commutative monoid: `a + b` is the mean over both, `Mean(0, 0)` is neutral.

    Devices, scanned steps, padded evaluation batches and finished episodes all merge by `+`, so that no
    number is ever a mean of means.
    """

    total: Array  # [] sum of weight * value
    count: Array  # [] sum of weight

    @classmethod
    def of(cls, values: Array, weights: Array | None = None) -> "Mean":
        """Mean over all entries of `values`.

        Args:
          values: `[...]` in the unit of the result; booleans, integers and short floats are summed as float32.
          weights: broadcastable to `values`, >= 0; None is 1 for each. A mask of 0 and 1 leaves padding out.
        """
        values = jnp.asarray(values)
        values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
        if weights is None:
            return cls(values.sum(), jnp.asarray(values.size, values.dtype))
        weights = jnp.broadcast_to(weights, values.shape).astype(values.dtype)
        # Not values * weights: padding may hold nan, and 0 * nan is nan.
        return cls(jnp.where(weights > 0, values * weights, 0).sum(), weights.sum())

    @property
    def value(self) -> Array:
        """`[]` the mean itself; nan where nothing was counted."""
        return self.total / self.count

    def __add__(self, other: "Mean") -> "Mean":
        return Mean(self.total + other.total, self.count + other.count)


Metrics = Mapping[str, Mean]
Probe = Callable[[Key, State], Mapping[str, Mean | Array]]


class Algorithm(NamedTuple, Generic[State, Batch]):
    """A pair of pure functions: everything that trains, fits, samples or plays.

    `init(key, batch) -> state` sees the global problem. `step(key, state, batch) -> (state, metrics)` keeps
    the structure, shapes and dtypes of the state. Keys are consumed by whoever receives them.
    """

    init: Callable[[Key, Batch], State]
    step: Callable[[Key, State, Batch], tuple[State, Metrics]]
    axes: PyTree = None  # prefix of State: None = replicated, int = the axis that splits over devices


Lift = Callable[[Algorithm], Algorithm]


@runtime_checkable
class Batches(Protocol):
    """What a run learns from: a pure function of the step."""

    def __getitem__(self, step: int) -> PyTree:
        """The global batch of a step >= 0, whatever was asked for before."""


@runtime_checkable
class SharedBatches(Batches, Protocol):
    """Batches of which a process can gather its part alone; of all others it gathers the whole, and takes its rows."""

    def share(self, index: int, count: int) -> Batches:
        """The same batches cut into `count` equal parts, of which this is the index-th."""


@runtime_checkable
class World(Batches, Protocol):
    """A world outside the program, such as an emulator: its batches depend on what its actor does.

    It is data, not a part of a step. It cannot be saved either, so it begins anew, from the key and the number of the
    segment alone, every `segment` steps, in straight and in resumed runs alike; checkpoints fall on these.
    Its `batches[step]` is an example of a batch, for `init` and for plans.
    """

    segment: int  # steps from one beginning to the next, >= 1

    def view(self, state: State) -> PyTree:
        """What the actor needs of the state, in JAX; it is compiled."""

    def after(self, step: int, view: PyTree) -> PyTree:
        """The global batch of a step, for the view of the state before it; steps are asked for in order.

        The arrays of the view are the state's, and are gone after the step: a world copies what it keeps.
        """


class Learner(NamedTuple):
    """One gradient-trained network inside any State."""

    params: PyTree
    opt_state: PyTree
    extras: PyTree  # flax collections that are not trained (batch_stats ...); {} if none

    @classmethod
    def create(cls, variables: Mapping[str, PyTree], tx: optax.GradientTransformation) -> "Learner":
        """Learner of a fresh flax module.

        Args:
          variables: what `module.init` returned: the collection `params` and any others.
          tx: the optax transformation that will update the parameters.
        """
        extras = {name: value for name, value in variables.items() if name != "params"}
        return cls(variables["params"], tx.init(variables["params"]), extras)

    @property
    def variables(self) -> dict[str, PyTree]:
        """Collections as `module.apply` wants them, with the current parameters."""
        return {"params": self.params, **self.extras}

    @property
    def averaged(self) -> dict[str, PyTree]:
        """The same with the averaged parameters, which the transformation `average_params` keeps.

        Raises:
          KeyError: if the learner's transformation keeps none.
        """
        average = optax.tree.get(self.opt_state, "average")
        if average is None:
            raise KeyError("this optimizer keeps no average: put core.average_params(decay) last in its chain")
        return {"params": average, **self.extras}
