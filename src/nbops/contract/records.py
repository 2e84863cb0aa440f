"""What a contract file is parsed into: frozen records without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import Check, Definition

__all__ = ["Contract", "ContractColumn", "Recommendations", "Relationship", "ServiceLevel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """Values of ``columns`` must be found in ``to_columns`` of another dataset (a foreign key)."""

    columns: tuple[str, ...]
    to_dataset: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """One entry of ``slaProperties``."""

    property: str
    """``freshness``, ``latency``, ``retention``, ``frequency``, or any other word."""
    value: str | int | float | bool | None
    """As written."""
    seconds: float | None = None
    """The value as a duration, when it is one."""
    column: str | None = None
    """Timestamp column that the entry is about."""
    driver: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendations:
    """Which columns are users and what is recommended to them, and where that is known from (dataset and column)."""

    user: str
    item: str
    rank: str | None = None
    """The smallest number comes first."""
    score: str | None = None
    """The largest comes first; where there is a rank, that counts."""
    catalogue: tuple[str, str] | None = None
    """All items; None: what the item column refers to."""
    users: tuple[str, str] | None = None
    """All users; None: what the user column refers to."""
    interactions: tuple[str, str] | None = None
    """Items as they were used, a row each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractColumn:
    """One property of the contract's schema object."""

    name: str
    """Name in the data: ``physicalName`` where the contract gives one."""
    logical_type: str | None = None
    physical_type: str | None = None
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    primary_key_position: int | None = None
    """Counts from 1; ``None`` when not given."""
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """``logicalTypeOptions``: pattern, format, minimum, maximum, minLength, maxLength, multipleOf..."""
    values: tuple[Any, ...] = ()
    """Allowed values (``enum``); empty means any."""
    classification: str | None = None
    description: str | None = None
    business_name: str | None = None
    tags: tuple[str, ...] = ()
    definitions: tuple[Definition, ...] = ()
    """``authoritativeDefinitions``, as of a business glossary."""
    personal: bool = False
    """Its values are never shown."""
    relationships: tuple[Relationship, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The agreement about one dataset. ``checks`` holds every rule that the file states, in the order of the file."""

    path: str
    id: str
    dataset: str
    object_name: str
    """Name of the schema object in the file; SQL rules may use it as the table's name."""
    version: str
    api_version: str
    hash: str
    """Changes when what the file says changes; comments and layout do not count."""
    status: str | None = None
    description: str | None = None
    business_name: str | None = None
    domain: str | None = None
    owner: str | None = None
    team: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    definitions: tuple[Definition, ...] = ()
    columns: tuple[ContractColumn, ...] = ()
    checks: tuple[Check, ...] = ()
    sla: tuple[ServiceLevel, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    personal_columns: frozenset[str] = frozenset()
    recommendations: Recommendations | Literal[False] | None = None
    """False: it is none, whatever it looks like; None: nothing is said."""
    uninterpreted: tuple[str, ...] = ()
    """Rules that the file states for other tools; nbops does not run them and says so."""
