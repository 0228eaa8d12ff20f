"""Networks of `transformers` with the weights of ours: saved as a folder, and opened there."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from flax import linen as nn
from transformers import AutoModelForImageClassification, PretrainedConfig

from adl.vision.published import Backbone


class Logits(torch.nn.Module):
    """`[B, K]` of `[B, C, H, W]`, without what else a model of `transformers` tells."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, K]`."""
        return self.model(x).logits


def loaded(config: PretrainedConfig, model: nn.Module, variables: Mapping[str, Any]) -> Logits:
    """The peer of a published `model`.

    Args:
      config: of it, in the words of `transformers`.
      model: ours.
      variables: {"params": ...}, and "batch_stats" where it has them.
    """
    told = {**config.to_dict(), "model_type": config.model_type}
    with tempfile.TemporaryDirectory() as folder:
        path = Backbone(told, model, variables, {}, None).save(Path(folder) / "peer")
        return Logits(AutoModelForImageClassification.from_pretrained(path))
