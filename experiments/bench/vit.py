"""Training of a small ViT on 64 pictures of 32x32, beside the one of `transformers` in PyTorch, as `classify`."""

import functools

from transformers import ViTConfig

from adl.nn.vision_transformer import VisionTransformer
from experiments.bench import Contenders
from experiments.bench.classify import CLASSES, compared, of_classes
from experiments.bench.peers import published_torch

LAYERS, HEADS, WIDTH = 6, 6, 192


def contenders() -> Contenders:
    """Six blocks over patches of 4x4, from the same weights."""
    sizes = {"num_layers": LAYERS, "num_heads": HEADS, "width": WIDTH, "hidden": 4 * WIDTH}
    model = VisionTransformer(CLASSES, (32, 32), (4, 4), **sizes)
    config = ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        image_size=32,
        patch_size=4,
        layer_norm_eps=1e-6,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=CLASSES,
    )
    peer = functools.partial(published_torch.loaded, config, model)
    return compared(of_classes(model, peer, (64, 32, 32, 3), num_steps=4))
