"""Puts the reference project into the wheel, where `nbops init` finds it.

A plain ``force-include`` in pyproject.toml would also copy it into the site-packages of editable installs, where it would go
stale beside the repository that they are made from.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TEMPLATE = ("notebooks", "contracts", "pipeline.yaml", "env.yaml", "constraints.txt")


class TemplateHook(BuildHookInterface):  # type: ignore[misc]
    """Adds the template to standard wheels only."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files; a missing one fails the build.

        Args:
            version: ``standard`` or ``editable``.
            build_data: Hatchling's settings for this build, changed in place.
        """
        if version == "standard":
            build_data["force_include"].update({name: f"nbops/_template/{name}" for name in TEMPLATE})
