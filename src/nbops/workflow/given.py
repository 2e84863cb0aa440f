"""Parameters that one build gives tasks in place of the pipeline's: from ``nbops.panel``, by an environment variable."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from nbops.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VARIABLE", "given_parameters", "written"]

VARIABLE = "NBOPS_PARAMETERS"
"""``{"task": {"parameter": value}}`` as JSON."""
_LONGEST = 100_000
"""Characters; Linux takes 128 KiB a variable."""


def written(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the variable that hands parameters to a build; none when there are none.

    Raises:
        ConfigError: They are too long for a variable.
    """
    if not any(parameters.values()):
        return {}
    text = json.dumps(parameters)
    if len(text) > _LONGEST:
        raise ConfigError(f"the parameters have {len(text):,} characters as JSON; at most {_LONGEST:,} can be given to a build.")
    return {VARIABLE: text}


def given_parameters() -> Mapping[str, Mapping[str, Any]]:
    """Return what this build was given. The variable is taken away, so that a build within a notebook of this one gets none.

    Raises:
        ConfigError: It does not hold what it should.
    """
    return _taken(os.getpid())


@cache
def _taken(_: int) -> Mapping[str, Mapping[str, Any]]:
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{VARIABLE}: no JSON: {error}. It holds {{task: {{parameter: value}}}}.") from error
    if not isinstance(found, dict) or not all(isinstance(values, dict) for values in found.values()):
        raise ConfigError(f"{VARIABLE}: expected {{task: {{parameter: value}}}}.")
    refused = sorted({name for values in found.values() for name in values} & {"upstream", "product"})
    if refused:
        raise ConfigError(f"{VARIABLE}: {', '.join(refused)}: the pipeline gives that itself.")
    return found
