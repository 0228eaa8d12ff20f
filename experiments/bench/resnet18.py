"""Training of ResNet-18 on 64 pictures of 32x32, beside the one of `transformers` in PyTorch, as `classify`."""

import functools

from transformers import ResNetConfig

from adl.nn.residual import RESNETS, OriginalResNet
from experiments.bench import Contenders
from experiments.bench.classify import CLASSES, compared, of_classes
from experiments.bench.peers import published_torch

WIDTHS, DEPTHS = [64, 128, 256, 512], [2, 2, 2, 2]


def contenders() -> Contenders:
    """Batch normalisation and all, from the same weights."""
    model = OriginalResNet(CLASSES, **RESNETS["resnet18"])
    config = ResNetConfig(hidden_sizes=WIDTHS, depths=DEPTHS, layer_type="basic", num_labels=CLASSES)
    peer = functools.partial(published_torch.loaded, config, model)
    return compared(of_classes(model, peer, (64, 32, 32, 3), num_steps=2))
