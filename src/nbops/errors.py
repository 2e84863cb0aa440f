"""Every exception that nbops raises on purpose.

    NbopsError
    ├── ConfigError          [tool.nbops], pipeline.yaml: something is written wrong
    │   └── ContractError    contracts/*.odcs.yaml: likewise
    ├── DataError            a dataset cannot be read or measured
    ├── ChecksFailed         data broke an error-severity check
    ├── TaskError            a task raised, died or timed out
    ├── EarlyStop            a task asked to end the build here, without an error
    ├── LockedError          another build holds the project
    ├── PipelineError        the pipeline cannot be loaded
    ├── LedgerError          a ledger cannot be read or written
    ├── GuardError           what is about to be committed holds something private
    ├── CommitError          git refused
    ├── PluginError          a plugin is missing, or two have one name
    └── UnknownTarget        nothing of the pipeline is called so

A message says where, what, what is allowed, and what to do next.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ChecksFailed",
    "CommitError",
    "ConfigError",
    "ContractError",
    "DataError",
    "EarlyStop",
    "GuardError",
    "LedgerError",
    "LockedError",
    "NbopsError",
    "PipelineError",
    "PluginError",
    "TaskError",
    "UnknownTarget",
    "did_you_mean",
]


class NbopsError(Exception):
    """Base of all; catch it to catch whatever nbops says itself."""


class ConfigError(NbopsError):
    """Something in the configuration is wrong."""


class ContractError(ConfigError):
    """A contract file is wrong."""


class DataError(NbopsError):
    """A dataset cannot be read or measured."""


class ChecksFailed(NbopsError):  # noqa: N818 - named after what happened
    """Data broke an error-severity check; publication is held."""


class TaskError(NbopsError):
    """A task raised, died or timed out."""


class EarlyStop(NbopsError):  # noqa: N818 - no error
    """A task asked to end the build here, without an error (Ploomber's ``DAGBuildEarlyStop``)."""


class LockedError(NbopsError):
    """Another build holds the project."""


class PipelineError(NbopsError):
    """Ploomber, or the project's own code, could not make the pipeline."""


class LedgerError(NbopsError):
    """A ledger cannot be read or written."""


class GuardError(NbopsError):
    """What is about to be committed holds a secret, a personal value or a machine path."""


class CommitError(NbopsError):
    """Git refused to commit the reports."""


class PluginError(NbopsError):
    """A plugin is missing, or two have one name."""


class UnknownTarget(NbopsError):  # noqa: N818 - an answer to a question
    """Nothing of the pipeline is called so."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return the tail of an error message: what is allowed, and the nearest match.

    >>> did_you_mean("nulCount", ["nullValues", "rowCount"])
    "Allowed: nullValues, rowCount. Did you mean 'rowCount'?"
    >>> did_you_mean("zzz", ["a", "b"])
    'Allowed: a, b.'
    """
    names = sorted(allowed)
    text = f"Allowed: {', '.join(names)}."
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.5)
    return f"{text} Did you mean {lowered[near[0]]!r}?" if near else text
