"""Spectral normalisation: a layer that stretches no vector by more than 1."""

from flax import linen as nn
from jax import Array

COLLECTION = "spectral"


class SpectralNorm(nn.Module):
    """A layer whose kernel is divided by its largest singular value: spectral normalisation that needs no flag.

    W_bar = W / sigma,   sigma = v^T W u,   v <- W u / |W u|,   u <- W^T v / |W^T v|   (one iteration)

    The kernel of a convolution `[h, w, c, d]` counts as a matrix `[h w c, d]`; biases stay as they are. `u` is kept
    in the collection `spectral`: `apply(..., mutable=["spectral"])` moves it by the iteration, a plain `apply` makes
    the same iteration and forgets it. The gradient passes through sigma, with u and v held fixed. Kernels begin divided
    by their first estimate of sigma. A kernel of zeros stays one; entries from 1e-16 to 1e16 are right.

    Source: Miyato et al. 2018, arXiv:1802.05957, algorithm 1; the computation is flax's `nn.SpectralNorm`.
    """

    layer: nn.Module  # with one or more kernels: `nn.Dense(...)`, `Conv(...)`, `nn.Embed(...)`

    @nn.compact
    def __call__(self, *inputs: Array) -> Array:
        """What the layer makes of `inputs` with its normalised kernel."""
        moves = self.is_mutable_collection(COLLECTION)
        # flax's epsilon, 1e-12 beside squares, would make short vectors of small kernels' units.
        norm = nn.SpectralNorm(self.layer, epsilon=1e-36, collection_name=COLLECTION)
        return norm(*inputs, update_stats=moves)
