"""Fields of a config.json: what they say, or one line about what they must say."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn

from adl.core import BadInput
from adl.nn.encoder import exact_gelu
from adl.nn.transformer import gelu

Config = Mapping[str, Any]  # as in config.json
ACTIVATIONS = {"gelu_new": gelu, "gelu_pytorch_tanh": gelu, "gelu": exact_gelu, "relu": nn.relu, "silu": nn.silu}


def told(value: Any) -> str:
    """A value of config.json as it stands there, its beginning if it is long."""
    return json.dumps(value, default=str)[:80]


def activation(config: Config, field: str, default: str = "gelu_new") -> Callable:
    """A function by its name there."""
    name = config.get(field, default)
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise BadInput(f"{field} {name}: it must be one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def epsilon(config: Config, field: str, default: float) -> float:
    """A number, 0 or more."""
    value = config.get(field, default)
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise BadInput(f"{field} {told(value)}: it must be a number, 0 or more")
    return value


def flag(config: Config, field: str, default: bool) -> bool:
    """True or false."""
    value = config.get(field, default)
    if not isinstance(value, bool):
        raise BadInput(f"{field} {told(value)}: it must be true or false")
    return value


def positive_number(of: Config, field: str) -> float:
    """A number above 0."""
    value = of.get(field)
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise BadInput(f"{field} {told(value)}: it must be a number above 0")
    return value


def whole_number(of: Config, field: str, default: int) -> int:
    """A whole number, 1 or more."""
    value = of.get(field, default)
    if type(value) is not int or value < 1:
        raise BadInput(f"{field} {told(value)}: it must be a whole number, 1 or more")
    return value
