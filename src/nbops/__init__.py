"""DataOps for teams that work in notebooks.

Importing this package loads none of the heavy libraries behind it: each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbops.quality.notebook import check, expect
    from nbops.widgets.contract import contract_editor
    from nbops.widgets.explore import explore
    from nbops.widgets.panel import panel
    from nbops.widgets.review import review
    from nbops.workflow.attach import attach

__all__ = ["attach", "check", "contract_editor", "expect", "explore", "panel", "review"]

_HOMES = {
    "attach": "nbops.workflow.attach",
    "check": "nbops.quality.notebook",
    "contract_editor": "nbops.widgets.contract",
    "expect": "nbops.quality.notebook",
    "explore": "nbops.widgets.explore",
    "panel": "nbops.widgets.panel",
    "review": "nbops.widgets.review",
    # IPython asks for these two by name: %load_ext nbops
    "load_ipython_extension": "nbops.lab.magics",
    "unload_ipython_extension": "nbops.lab.magics",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - keeps `import nbops` down to this file

    if name == "attach":  # with it comes all that a build needs
        importlib.import_module("nbops.adapters.lean_classes").make_classes_quickly()
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
