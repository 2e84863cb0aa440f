"""Whether OpenLineage's own configuration names a transport: found out without loading the client.

The places are the client's (``OpenLineageClient.config``): ``OPENLINEAGE_DISABLED``, ``OPENLINEAGE_URL``,
``OPENLINEAGE__TRANSPORT...``, and a file: ``OPENLINEAGE_CONFIG``, ``openlineage.yml`` in the project,
``~/.openlineage/openlineage.yml``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_configured"]

_TRANSPORT = "OPENLINEAGE__TRANSPORT"


def is_configured(root: Path, environment: Mapping[str, str] | None = None) -> bool:
    """Return whether events are to be sent.

    Args:
        root: The project's root, which stands for the client's working directory.
        environment: Instead of this process's.
    """
    variables = os.environ if environment is None else environment
    if variables.get("OPENLINEAGE_DISABLED", "").lower().strip() == "true":
        return False
    if variables.get("OPENLINEAGE_URL", "").strip():
        return True
    if any(name == _TRANSPORT or name.startswith(f"{_TRANSPORT}__") for name in variables):
        return True
    return _names_transport(_file(root, variables))


def _file(root: Path, variables: Mapping[str, str]) -> Path | None:
    """Return the file that the client reads: the first one that is there."""
    named = variables.get("OPENLINEAGE_CONFIG")
    home = variables.get("HOME") or "~"
    places = [
        *([root / named] if named else []),
        root / "openlineage.yml",
        Path(home).expanduser() / ".openlineage/openlineage.yml",
    ]
    return next((place for place in places if place.is_file() and os.access(place, os.R_OK)), None)


def _names_transport(path: Path | None) -> bool:
    if path is None:
        return False
    import yaml  # noqa: PLC0415 - only where there is such a file

    try:
        document: Any = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(
            f"{path.name}: cannot be read as YAML: {type(error).__name__}. Mend it, or set OPENLINEAGE_DISABLED=true."
        ) from error
    transport = document.get("transport") if isinstance(document, dict) else None
    return isinstance(transport, dict) and bool(transport.get("type"))
