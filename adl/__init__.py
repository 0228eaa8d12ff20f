"""JAX functional research code for advanced deep learning: pure algorithms, one runner, measured numbers."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType

__all__ = ["submodules"]


def submodules(package: str) -> tuple[Callable[[str], ModuleType], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose modules are imported when they are asked for (PEP 562).

    So that `import adl; adl.gan.adversarial.gan(...)` works at once, while `import adl` loads nothing.

    Args:
      package: its `__name__`; it must be imported already, as it is where its own `__init__` calls.
    """
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    names = [module.name for module in found if not module.name.startswith("_")]

    def load(name: str) -> ModuleType:
        if name not in names:
            raise AttributeError(f"module {package} has no attribute {name}")
        return importlib.import_module(f"{package}.{name}")

    return load, lambda: names


__getattr__, __dir__ = submodules(__name__)
