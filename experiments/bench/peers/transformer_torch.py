"""PyTorch's `nn.Transformer` between the embeddings and the head that translation wants.

The model of `adl.nn.encoder_decoder.EncoderDecoder` in the order "post", with the same weights where they are copied.
Vaswani et al. 2017.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

Batch = tuple[torch.Tensor, ...]  # source [B, U], target [B, T + 1], and which of them are real


class Translator(nn.Module):
    """Logits `[B, T, V]` of the next token of a target."""

    def __init__(self, vocab_size: int, num_layers: int, num_heads: int, width: int, places: np.ndarray):
        super().__init__()
        gelu = functools.partial(F.gelu, approximate="tanh")
        self.tokens = nn.Embedding(vocab_size, width)
        of = (width, num_heads, 4 * width, 0.0, gelu)
        # The original has no norm after the last layer; nested tensors are for ReLU alone, without gradients.
        layer = nn.TransformerEncoderLayer(*of, batch_first=True)
        encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(*of, batch_first=True), num_layers)
        self.layers = nn.Transformer(width, num_heads, batch_first=True, custom_encoder=encoder, custom_decoder=decoder)
        self.register_buffer("places", torch.tensor(places))  # [longest, D]

    def forward(self, source: torch.Tensor, target: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """`[B, T, V]` of `source` `[B, U]`, what of it is real `[B, U]`, and `target` `[B, T]`."""
        read, written = (self.tokens(token) * self.tokens.embedding_dim**0.5 for token in (source, target))
        read, written = (h + self.places[: h.shape[1]] for h in (read, written))
        ahead = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        masks = {"tgt_mask": ahead, "tgt_is_causal": True}
        masks |= {"src_key_padding_mask": ~real, "memory_key_padding_mask": ~real}
        return F.linear(self.layers(read, written, **masks), self.tokens.weight)

    @torch.no_grad()
    def load(self, params: Mapping[str, Any]) -> "Translator":
        """Itself, with the weights of `adl.nn.encoder_decoder.EncoderDecoder`."""

        def put(theirs: torch.Tensor, *ours: Any) -> None:
            theirs.copy_(torch.tensor(np.concatenate([np.asarray(part).T for part in ours])))

        put(self.tokens.weight, np.asarray(params["tokens"]["embedding"]).T)
        for name, layers in (("encoder", self.layers.encoder.layers), ("decoder", self.layers.decoder.layers)):
            for i, layer in enumerate(layers):
                ours = params[f"{name}_{i}"]
                others = ([layer.multihead_attn], [layer.norm3]) if name == "decoder" else ([], [])
                for j, attention in enumerate([layer.self_attn, *others[0]]):
                    its = ours[f"MultiHeadAttention_{j}"]
                    put(attention.in_proj_weight, *(its[part]["kernel"] for part in ("query", "key", "value")))
                    put(attention.in_proj_bias, *(its[part]["bias"] for part in ("query", "key", "value")))
                    put(attention.out_proj.weight, its["out"]["kernel"])
                    put(attention.out_proj.bias, its["out"]["bias"])
                for j, norm in enumerate([layer.norm1, layer.norm2, *others[1]]):
                    put(norm.weight, ours[f"LayerNorm_{j}"]["scale"])
                    put(norm.bias, ours[f"LayerNorm_{j}"]["bias"])
                for j, linear in enumerate((layer.linear1, layer.linear2)):
                    put(linear.weight, ours["MLP_0"][f"Dense_{j}"]["kernel"])
                    put(linear.bias, ours["MLP_0"][f"Dense_{j}"]["bias"])
        return self


def translator_stepper(model: Translator, learning_rate: float) -> Callable[[Batch], float]:
    """A step of Adam on a batch, gradients clipped to a norm of 1: its loss, in nats a real token."""
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, betas=(0.9, 0.98), fused=True)

    def step(batch: Batch) -> float:
        source, target, source_real, target_real = batch
        logits = model(source, target[:, :-1], source_real)
        losses = F.cross_entropy(logits.flatten(0, 1), target[:, 1:].long().flatten(), reduction="none")
        weights = target_real[:, 1:].flatten()
        loss = losses[weights].mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step
