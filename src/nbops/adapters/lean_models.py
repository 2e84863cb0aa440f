"""A light stand-in for pydantic where Ploomber makes a model of a single string of it, such as ``on_render: nbops.attach``.

Importing pydantic and building that model takes longer than rendering a pipeline. Whatever is more than the single string (other
arguments, a wrong type, any other use of the model) is handed to the real model: the module is run once more, with pydantic.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from importlib import metadata
from typing import Any

__all__ = ["LightPydantic"]

_FIELD = "dotted_path"


class _LightModel:
    """Stands for ``pydantic.BaseModel`` in that module."""

    def __new__(cls, **given: Any) -> Any:
        if set(given) == {_FIELD} and type(given[_FIELD]) is str:
            return super().__new__(cls)
        return _real(cls)(**given)  # no object of this class, so that `__init__` is not called

    def __init__(self, **given: Any) -> None:
        vars(self).update(given)

    def model_dump(self, **options: Any) -> Any:
        """Return the fields as pydantic does."""
        return {} if options == {"exclude": {_FIELD}} else self.__getattr__("model_dump")(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(_real(type(self))(**vars(self)), name)


class LightPydantic:
    """Stands for the module ``pydantic``."""

    BaseModel = _LightModel

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return metadata.version("pydantic")
        return getattr(importlib.import_module("pydantic"), name)


def _real(light: type) -> Any:
    """Return the model as it is with pydantic."""
    return getattr(_with_pydantic(light.__module__), light.__qualname__)


@cache
def _with_pydantic(name: str) -> Any:
    """Return the module, run once more beside the one that all others use."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} cannot be found again", name=name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
