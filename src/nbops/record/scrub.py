"""Taking out of a record what must not be committed: secrets, paths of the machine, personal values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nbops.model import CheckResult, ColumnEdge, Distribution, Measurement, Run, RunError
from nbops.record.codec import field_types
from nbops.record.machine_paths import PathMask
from nbops.record.personal import PERSONAL_MASK, PersonalValues
from nbops.record.plain import clean_text, plain
from nbops.record.secret_values import MASK, SecretMask, collect_secrets, is_secret_name

__all__ = ["PersonalValues", "Scrubber", "collect_secrets", "steady_text"]

_Numbers = Literal["all", "telling"] | None
"""Which personal numbers are masked; None masks no personal values at all."""

_SHORT = 200  # characters; what is longer is seldom said twice
_REMEMBERED = 50_000  # texts
_ROUNDS = 4  # until nothing changes; what one replacement brings together is found in the next round

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_IN_MEMORY = re.compile(r"(?<=\bat )0x[0-9a-fA-F]{6,16}\b|\b0x(?:0000)?[57][0-9a-fA-F]{11}\b")

_NAMES = frozenset(
    # what other records refer to, and what comes from the code and the contracts, not from the data
    [
        *("id", "name", "dataset", "task", "column", "metric", "kind", "status", "verdict", "severity", "operator", "unit"),
        *("dimension", "format", "physical_type", "logical_type", "classification", "content_hash", "contract_hash", "contract"),
        *("started_at", "finished_at", "from_run", "last_success", "path", "source", "target", "notebook", "profile", "products"),
        *("upstream", "origin", "arguments", "expected", "owner", "sla", "python", "platform", "nbops", "packages"),
        *("fingerprint", "commit", "branch", "pipeline", "command", "measurements", "reasons"),
        *("source_column", "target_column", "transformation", "how", "basis", "of"),
    ]
)
_COUNTS = re.compile(
    r"(?:count|counts|rows|values|nulls|distinct|duplicates|percent|share|ratio|length|references|rowRule)$", re.IGNORECASE
)
"""Ends of the names of metrics that count rows; what they say of a personal column is no value of it."""


def steady_text(text: str) -> str:
    r"""Return a traceback or message without colours and addresses in memory, which differ from run to run.

    >>> steady_text("\x1b[31m<f at 0x7f3a5c0d11f0>\x1b[0m")
    '<f at 0x...>'
    """
    return _IN_MEMORY.sub("0x...", _ANSI.sub("", text))


class Scrubber:
    """Takes secrets, machine paths and personal values out of texts, plain values, notebooks and runs.

    What was scrubbed stays the same when it is scrubbed again. Pictures are not looked into: a plot that shows personal values
    or a path keeps showing them.

    Args:
        root: The project's root; its files become relative paths.
        secrets: Secret values, see :func:`collect_secrets`.
        personal: Values and names of personal columns.
        moved: Path of a staged product to what the record calls it.
        secret_names: Names of parameters that are secret in this project beside those that are known.
    """

    def __init__(
        self,
        root: Path,
        *,
        secrets: Iterable[str] = (),
        personal: PersonalValues | None = None,
        moved: Mapping[str, str] | None = None,
        secret_names: Iterable[str] = (),
    ) -> None:
        self.secrets = SecretMask(secrets)
        self.paths = PathMask(root, moved=moved)
        self.personal = personal or PersonalValues({})
        self._secret_names = frozenset(secret_names)
        self._short: dict[tuple[str, bool, _Numbers], str] = {}

    @property
    def personal_columns(self) -> Collection[str]:
        """Names of personal columns, in lower case."""
        return self.personal.columns

    def is_secret(self, name: str) -> bool:
        """Say whether a parameter of that name holds a secret."""
        return is_secret_name(name, self._secret_names)

    def text(self, text: str, *, markup: bool = False, numbers: Literal["all", "telling"] = "all") -> str:
        """Return a text without secrets, machine paths and personal values.

        Args:
            text: Any text.
            markup: It is HTML or SVG: what is put in is escaped.
            numbers: Which personal numbers are masked, see :meth:`PersonalValues.find`.
        """
        return self._until_steady(text, markup=markup, numbers=numbers)

    def name(self, text: str) -> str:
        """Return a name or path without secrets and machine paths; personal values stay, as others refer to it."""
        return self._until_steady(text, numbers=None)

    def _until_steady(self, text: str, *, markup: bool = False, numbers: _Numbers) -> str:
        if len(text) > _SHORT:
            return self._masked(text, markup=markup, numbers=numbers)
        # a run says the same names and words over and over
        asked = (text, markup, numbers)
        known = self._short.get(asked)
        if known is None:
            if len(self._short) >= _REMEMBERED:
                self._short.clear()
            known = self._short[asked] = self._masked(text, markup=markup, numbers=numbers)
        return known

    def _masked(self, text: str, *, markup: bool, numbers: _Numbers) -> str:
        text = clean_text(text)
        for _ in range(_ROUNDS):
            before = text
            text = self.paths.mask(self.secrets.mask(text), markup=markup)
            if numbers:
                text = self.personal.mask(text, numbers=numbers)
            if text == before:
                return text
        return self.secrets.mask(text)

    def value(self, value: Any) -> Any:
        """Return plain values (dict, list, text, numbers) without secrets, machine paths and personal values.

        What stands under a name that tells of a secret becomes ``***``, whatever it is; None, booleans and empty texts stay.
        """
        return self._value(plain(value), numbers="all")

    def _value(self, value: Any, *, numbers: _Numbers) -> Any:
        if isinstance(value, str):
            return self._until_steady(value, numbers=numbers)
        if isinstance(value, list):
            return [self._value(item, numbers=numbers) for item in value]
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = self.name(key)
            hidden = self.is_secret(key) or self.is_secret(name)
            found[self._free(name, found)] = self._hidden(item) if hidden else self._value(item, numbers=numbers)
        return found

    @staticmethod
    def _free(name: str, taken: Collection[str]) -> str:
        """Return ``name``, with a number when two keys read the same once they are scrubbed."""
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name} ({number})"
        return free

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.name(key): self._hidden(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._hidden(item) for item in value]
        return value if value is None or value == "" or isinstance(value, bool) else MASK

    def notebook(self, nb: Mapping[str, Any]) -> dict[str, Any]:
        """Return an executed notebook as it may be committed; see :func:`nbops.record.notebook.clean_notebook`."""
        from nbops.record.notebook import clean_notebook  # noqa: PLC0415  (it needs this class)

        return clean_notebook(nb, self)

    def run(self, run: Run) -> Run:
        """Return a run as it may be committed.

        Free texts, parameters and example rows lose all three kinds; names and paths keep what other records refer to.
        Measurements of personal columns that show a value (a minimum, a most frequent one) are masked, counts stay.
        """
        scrubbed: Run = self._record(run)
        return scrubbed

    def _record(self, record: Any) -> Any:
        kind: type = type(record)
        if isinstance(record, Distribution):
            return self._distribution(record)
        numbers: _Numbers = "all" if kind is RunError else "telling"
        scrubbed = replace(record, **{name: self._field(name, getattr(record, name), numbers) for name in field_types(kind)})
        if isinstance(scrubbed, CheckResult):
            return self._check_result(scrubbed)
        if isinstance(scrubbed, Measurement) and self._shows_personal(scrubbed.column, scrubbed.metric, scrubbed.value):
            return replace(scrubbed, value=PERSONAL_MASK)
        return scrubbed

    def _field(self, name: str, value: Any, numbers: _Numbers) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if is_dataclass(value):
            return self._record(value)
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            return self._edges(value) if name == "edges" else tuple(self._record(item) for item in value)
        if name == "arguments":
            return tuple((key, self._value(plain(item), numbers=None)) for key, item in value)
        if name in _NAMES and not (name == "reasons" and isinstance(value, tuple)):
            numbers = None  # the reasons of a quarantine are keyed by check, those of a task are sentences
        if isinstance(value, str):
            return self._until_steady(steady_text(value) if numbers else value, numbers=numbers)
        found = self._value(plain(value), numbers=numbers)
        return tuple(found) if isinstance(value, tuple) else found

    def _edges(self, edges: tuple[ColumnEdge, ...]) -> tuple[ColumnEdge, ...]:
        """Return edges between columns; there are many, of few names, which seldom hold anything to take out."""
        texts = {text for edge in edges for text in (edge.source, edge.source_column, edge.target, edge.target_column) if text}
        changed = {text: name for text in texts if (name := self.name(text)) != text}
        if not changed:
            return edges

        def clean(text: str) -> str:
            return changed.get(text, text)

        return tuple(
            replace(
                edge,
                source=clean(edge.source),
                source_column=edge.source_column and clean(edge.source_column),
                target=clean(edge.target),
                target_column=edge.target_column and clean(edge.target_column),
            )
            for edge in edges
        )

    def _distribution(self, record: Distribution) -> Distribution:
        """Return a distribution without categories in which something private stands: they are among the others then."""
        column = self.name(record.column)
        if record.column.strip().casefold() in self.personal_columns:
            return Distribution(column=column, rows=record.rows)
        shown = {value: rows for value, rows in record.categories.items() if self.text(value) == value}
        patterns = {text: rows for text, rows in record.patterns.items() if self.text(text, numbers="telling") == text}
        frequent = {text: rows for text, rows in record.frequent.items() if self.text(text, numbers="telling") == text}
        hidden = sum(record.categories.values()) - sum(shown.values())
        others = record.others + hidden if record.others is not None else None
        segments = tuple(
            replace(item, by=self.name(item.by))
            for item in record.segments
            if self.text(item.value) == item.value and item.by.strip().casefold() not in self.personal_columns
        )
        return replace(
            record,
            column=column,
            categories=shown,
            others=others,
            patterns=patterns,
            frequent=frequent,
            segments=segments,
        )

    def _check_result(self, result: CheckResult) -> CheckResult:
        examples = tuple(
            {
                name: PERSONAL_MASK if name.casefold() in self.personal_columns and cell is not None else cell
                for name, cell in row.items()
            }
            for row in result.examples
        )
        hidden = self._shows_personal(result.check.column, result.check.metric, result.observed)
        return replace(result, examples=examples, observed=PERSONAL_MASK if hidden else result.observed)

    def _shows_personal(self, column: str | None, metric: str, value: object) -> bool:
        if column is None or value is None or isinstance(value, bool) or column.casefold() not in self.personal_columns:
            return False
        return _COUNTS.search(metric) is None or isinstance(value, str)
