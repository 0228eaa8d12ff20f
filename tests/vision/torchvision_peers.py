"""Small networks of torchvision's form in PyTorch's own layers, whose tensors have the names that are published."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn.functional import relu


class Block(nn.Module):
    """Of a ResNet: two convolutions, or three where `width` is a quarter of what comes out."""

    def __init__(self, before, after, stride, width=None):
        super().__init__()
        sides = [(before, after, 3, stride), (after, after, 3, 1)]
        if width:
            sides = [(before, width, 1, 1), (width, width, 3, stride), (width, after, 1, 1)]
        for i, (a, b, side, step) in enumerate(sides, 1):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, side, step, side // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(b))
        self.number, self.downsample = len(sides), None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        h = x
        for i in range(1, self.number + 1):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(relu(h) if i > 1 else h))
        return relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Two stages, of one block and of two."""

    def __init__(self, channels=(8, 16), divide=None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        width = [c // divide if divide else None for c in channels]
        self.layer1 = nn.Sequential(Block(8, channels[0], 1, width[0]))
        second = Block(channels[0], channels[1], 2, width[1]), Block(channels[1], channels[1], 1, width[1])
        self.layer2, self.fc = nn.Sequential(*second), nn.Linear(channels[1], 5)

    def forward(self, x):
        h = nn.functional.max_pool2d(relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layer2(self.layer1(h)).mean((2, 3)))


class Norm(nn.LayerNorm):
    """Over the channels of `[B, C, H, W]`."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Permute(nn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(*self.axes)


class NextBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1))
        self.block = nn.Sequential(
            *(nn.Conv2d(width, width, 7, padding=3, groups=width), Permute(0, 2, 3, 1), nn.LayerNorm(width, eps=1e-6)),
            *(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), Permute(0, 3, 1, 2)),
        )

    def forward(self, x):
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    """Two stages, of one block and of two."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 8, 4, 4), Norm(8, eps=1e-6)),
            nn.Sequential(NextBlock(8)),
            nn.Sequential(Norm(8, eps=1e-6), nn.Conv2d(8, 16, 2, 2)),
            nn.Sequential(NextBlock(16), NextBlock(16)),
        )
        self.classifier = nn.Sequential(Norm(16, eps=1e-6), nn.Flatten(1), nn.Linear(16, 5))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3), keepdim=True))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(12, eps=1e-6), nn.LayerNorm(12, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(12, 20), nn.GELU(), nn.Dropout(0), nn.Linear(20, 12), nn.Dropout(0))

    def forward(self, x):
        h = self.ln_1(x)
        x = x + self.self_attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class ViT(nn.Module):
    """Two layers, on 4x4 patches of 8x8."""

    def __init__(self):
        super().__init__()
        self.conv_proj, self.class_token = nn.Conv2d(3, 12, 8, 8), nn.Parameter(torch.zeros(1, 1, 12))
        self.encoder = nn.Module()
        self.encoder.pos_embedding = nn.Parameter(torch.zeros(1, 17, 12))
        self.encoder.layers = nn.Sequential(OrderedDict((f"encoder_layer_{i}", Layer()) for i in range(2)))
        self.encoder.ln = nn.LayerNorm(12, eps=1e-6)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(12, 5)))

    def forward(self, x):
        h = self.conv_proj(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.class_token.expand(len(h), -1, -1), h], 1) + self.encoder.pos_embedding
        return self.heads(self.encoder.ln(self.encoder.layers(h))[:, 0])
