"""Adversarial learning: a generator against a discriminator. Objective, penalties and networks are free choices."""

from adl.gan import objective, penalty
from adl.gan.gan import Players, gan, wgan_gp
from adl.gan.networks import ConvDiscriminator, ConvGenerator, MLPDiscriminator, MLPGenerator
from adl.gan.objective import Objective
from adl.gan.penalty import Critic, Penalty

__all__ = [
    "ConvDiscriminator",
    "ConvGenerator",
    "Critic",
    "MLPDiscriminator",
    "MLPGenerator",
    "Objective",
    "Penalty",
    "Players",
    "gan",
    "objective",
    "penalty",
    "wgan_gp",
]
