"""``[tool.nbops]`` of ``pyproject.toml``, read once into a frozen ``Config``.

A missing file or a missing table gives the defaults. A key that nbops does not know, or a value of the wrong type, is a
``ConfigError`` that names the file, the key, what is allowed and the nearest match.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from nbops.contract.config_alerts import AlertConfig, parse_alerts
