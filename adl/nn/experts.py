"""A mixture of experts: many perceptrons, of which each position uses few; more parameters for the same work."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.mlp import Initializer
from adl.nn.transformer import gelu_mlp

LOSSES = "losses"


class Experts(nn.Module):
    """The k experts that a router likes best at each position, weighed by how much.

    p = softmax(W x),   output = sum_{i in top k} g_i E_i(x),   g_i = p_i, and for k > 1 p_i / sum_{j in top k} p_j

    Of N positions an expert serves at most C = ceil(capacity k N / E), those of lower rank first (first choices before
    second, then in order); what it does not serve adds nothing. Then one position may depend on what others want: with
    k > 1, or padding, also on later ones. Without a capacity every expert works at every position, which costs E / k
    times as much and drops nothing. Apply with `mutable=["losses"]` for the loss that keeps experts equally busy,

    balance = E sum_i f_i P_i,   f_i the share of positions whose first choice is i,   P_i the mean of p_i,

    which is 1 if they are.

    Source: Shazeer et al. 2017, arXiv:1701.06538; gates: Lepikhin et al. 2021, arXiv:2006.16668, algorithm 1 (k = 2);
    Fedus et al. 2022, arXiv:2101.03961, eq. 2 to 6 (k = 1).
    """

    num_experts: int  # E
    features: int | None = None  # size of the output; None: that of the input
    top_k: int = 1  # k, in 1 ... E
    capacity: float | None = None  # > 0, of an expert, in units of an equal share; None: no limit
    expert: Callable[..., nn.Module] = gelu_mlp  # `expert(D, dtype=..., output_init=...)`
    dtype: jnp.dtype = jnp.float32  # of the experts; parameters and router are float32
    output_init: Initializer = nn.initializers.lecun_normal()  # of the last layer of each expert
    axis: str | None = None  # mapped axis (pmap) whose devices share one balance; None: one device, or the compiler

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., features]` from `x` `[..., D]`."""
        h = x.reshape(-1, x.shape[-1])
        router = nn.Dense(self.num_experts, use_bias=False, kernel_init=nn.initializers.normal(0.02), name="router")
        liking = router(h.astype(jnp.float32))
        share = jax.nn.softmax(liking)
        _, chosen = jax.lax.top_k(liking, self.top_k)  # [N, k]; shares of 0, or alike but for rounding, say less
        gate = jnp.take_along_axis(share, chosen, -1)
        if self.top_k > 1:
            gate = gate / gate.sum(-1, keepdims=True)
        if not self.is_initializing():
            busy, liked = jax.nn.one_hot(chosen[:, 0], self.num_experts).mean(0), share.mean(0)
            if self.axis is not None:
                busy, liked = jax.lax.pmean((busy, liked), self.axis)
            self.sow(LOSSES, "balance", self.num_experts * jnp.vdot(busy, liked))
        expert = self.expert(self.features or x.shape[-1], dtype=self.dtype, output_init=self.output_init)
        out = (
            self._everywhere(expert, h, gate, chosen)
            if self.capacity is None
            else self._served(expert, h, gate, chosen)
        )
        return out.reshape(*x.shape[:-1], -1)

    def _everywhere(self, expert: nn.Module, h: Array, gate: Array, chosen: Array) -> Array:
        weight = (jax.nn.one_hot(chosen, self.num_experts) * gate[..., None]).sum(1)
        return jnp.einsum("ne,end->nd", weight.astype(self.dtype), self._each(expert, h, None))

    def _served(self, expert: nn.Module, h: Array, gate: Array, chosen: Array) -> Array:
        number, dim = h.shape
        room = math.ceil(self.capacity * self.top_k * number / self.num_experts)
        # In the order of service: all first choices, then all second ones.
        wanted = jax.nn.one_hot(chosen.T.reshape(-1), self.num_experts, dtype=jnp.int32)
        place = ((jnp.cumsum(wanted, 0) - 1) * wanted).sum(-1).reshape(self.top_k, number).T
        slot = jnp.where(place < room, chosen * room + place, self.num_experts * room)  # [N, k]
        seats = jnp.zeros((self.num_experts * room, dim), h.dtype)
        for choice in range(self.top_k):
            seats = seats.at[slot[:, choice]].set(h, mode="drop")
        made = self._each(expert, seats.reshape(self.num_experts, room, dim), 0)
        made = made.reshape(self.num_experts * room, -1)
        taken = made.at[slot].get(mode="fill", fill_value=0)  # [N, k, features]
        return jnp.einsum("nk,nkd->nd", gate.astype(self.dtype), taken)

    def _each(self, expert: nn.Module, h: Array, axis: int | None) -> Array:
        """`[E, M, features]`: every expert, of the same positions or of its own."""
        each = nn.vmap(
            lambda module, h: module(h),
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=axis,
            axis_size=self.num_experts,
        )
        return each(expert, h)
