"""GPT-2 in PyTorch as users write it: fused queries, keys and values, `scaled_dot_product_attention`, fused AdamW.

The model of `adl.nn.transformer.GPT` at its defaults, with the same weights where they are copied. Radford et al. 2019.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Attention and a perceptron around the stream."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, T, D]` from `[B, T, D]`."""
        size, length, width = x.shape
        parts = self.qkv(self.norm_1(x)).split(width, -1)
        q, k, v = (part.view(size, length, self.num_heads, -1).transpose(1, 2) for part in parts)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(size, length, width))
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class GPT(nn.Module):
    """Logits `[B, T, V]` of the next token."""

    def __init__(self, vocab_size: int, max_length: int, num_layers: int, num_heads: int, width: int):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab_size, width), nn.Embedding(max_length, width)
        self.blocks = nn.ModuleList(Block(width, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """`[B, T, V]` from `[B, T]`."""
        h = self.tokens(token) + self.positions(torch.arange(token.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))

    @torch.no_grad()
    def load(self, params: Mapping[str, Any]) -> "GPT":
        """Itself, with the weights of `adl.nn.transformer.GPT`."""

        def put(layer: nn.Linear, *ours: Mapping[str, Any]) -> None:
            layer.weight.copy_(torch.tensor(np.concatenate([np.asarray(p["kernel"]).T for p in ours])))
            layer.bias.copy_(torch.tensor(np.concatenate([np.asarray(p["bias"]) for p in ours])))

        def norm(layer: nn.LayerNorm, ours: Mapping[str, Any]) -> None:
            layer.weight.copy_(torch.tensor(np.asarray(ours["scale"])))
            layer.bias.copy_(torch.tensor(np.asarray(ours["bias"])))

        self.tokens.weight.copy_(torch.tensor(np.asarray(params["tokens"]["embedding"])))
        self.positions.weight.copy_(torch.tensor(np.asarray(params["positions"])))
        norm(self.norm, params["LayerNorm_0"])
        for index, block in enumerate(self.blocks):
            ours = params[f"Block_{index}"]
            attention, perceptron = ours["MultiHeadAttention_0"], ours["MLP_0"]
            norm(block.norm_1, ours["LayerNorm_0"])
            norm(block.norm_2, ours["LayerNorm_1"])
            put(block.qkv, *(attention[name] for name in ("query", "key", "value")))
            put(block.out, attention["out"])
            put(block.up, perceptron["Dense_0"])
            put(block.down, perceptron["Dense_1"])
        return self


def stepper(model: GPT, learning_rate: float, *, is_compiled: bool) -> Callable[[torch.Tensor], float]:
    """A step of AdamW on `token` `[B, T + 1]`, gradients clipped to a norm of 1: its loss, in nats a token."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.99), fused=True)
    forward = torch.compile(model) if is_compiled else model

    def step(token: torch.Tensor) -> float:
        logits = forward(token[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), token[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step
