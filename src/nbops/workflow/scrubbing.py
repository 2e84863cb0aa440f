"""What takes secrets, personal values and machine paths out of what a build records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.record.scrub import Scrubber, collect_secrets
from nbops.workflow.fingerprint import strings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.config import Config
    from nbops.record.scrub import PersonalValues
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["scrubber_for", "secrets_of"]

_LONGEST_PATH = 4_096


def secrets_of(config: Config, parameters: Mapping[str, Any], records: Mapping[str, TaskRecord]) -> tuple[str, ...]:
    """Return every secret value that this build knows: of parameters and of the environment."""
    every = {**parameters, **{f"{n}.{k}": v for n, record in records.items() for k, v in record.spec.parameters.items()}}
    return collect_secrets(every, os.environ, config.secrets)


def scrubber_for(
    root: Path,
    config: Config,
    parameters: Mapping[str, Any],
    records: Mapping[str, TaskRecord],
    *,
    personal: PersonalValues | None,
) -> Scrubber:
    """Return what takes secrets, personal values and machine paths out of everything that is recorded."""
    moved: dict[str, str] = {}
    for record in records.values():
        moved.update(record.aliases)
    moved.update(_outside(root, parameters, records))
    secrets = secrets_of(config, parameters, records)
    return Scrubber(root, secrets=secrets, personal=personal, moved=moved, secret_names=config.secrets)


def _outside(root: Path, parameters: Mapping[str, Any], records: Mapping[str, TaskRecord]) -> dict[str, str]:
    """Return what stands for paths of this machine outside the project: those given as parameters, the project's parent."""
    found: dict[str, str] = {}
    for text in [t for values in (parameters, *(r.spec.parameters for r in records.values())) for t in strings_of(values)]:
        try:
            path = (root / text).resolve() if text and len(text) < _LONGEST_PATH and "\0" not in text else root
            known = path.exists()
        except OSError:
            continue
        if known and path != root and root not in path.parents and path not in root.parents:
            found[str(path)] = f"<path>/{path.name}"
            if Path(text).is_absolute():
                found[text.rstrip("/")] = f"<path>/{path.name}"
    found.setdefault(str(root.parent), "<path>")
    return found
