"""How checks made in a notebook show themselves: text, and a table without script that reads in light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from nbops.errors import ChecksFailed
from nbops.quality.judge import worst

if TYPE_CHECKING:
    from nbops.model import CheckResult, Verdict

__all__ = ["CheckReport"]

_MARKS: dict[Verdict, str] = {"passed": "✓", "warned": "!", "failed": "✗", "errored": "?", "skipped": "-"}
_EXAMPLES = 3


@dataclass(frozen=True)
class CheckReport:
    """Results of checks made in a notebook, the worst first."""

    title: str
    results: tuple[CheckResult, ...]
    rows: int | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst of all results; ``skipped`` when nothing was judged."""
        return worst(result.verdict for result in self.results if result.verdict != "skipped")

    @property
    def passed(self) -> bool:
        """Whether something was judged and nothing failed or could not be measured; warnings pass."""
        return self.verdict in {"passed", "warned"}

    def raise_if_failed(self) -> CheckReport:
        """Return the report, or stop the notebook.

        Raises:
            ChecksFailed: A check failed or could not be measured; the message lists the first ones.
        """
        bad = [result for result in self._ordered() if result.verdict in {"failed", "errored"}]
        if bad:
            listed = "\n".join(f"  {result.check.id}: {result.message}" for result in bad[:10])
            more = f"\n  ... and {len(bad) - 10} more" if len(bad) > 10 else ""  # noqa: PLR2004
            raise ChecksFailed(f"{self.title}: {len(bad)} of {len(self.results)} checks did not pass:\n{listed}{more}")
        return self

    def _ordered(self) -> list[CheckResult]:
        order: dict[Verdict, int] = {"failed": 0, "errored": 1, "warned": 2, "passed": 3, "skipped": 4}
        return sorted(self.results, key=lambda result: order[result.verdict])

    def _headline(self) -> str:
        counts = [
            (word, sum(result.verdict == word for result in self.results))
            for word in ("failed", "errored", "warned", "passed", "skipped")
        ]
        tally = ", ".join(f"{count} {word}" for word, count in counts if count) or "no checks"
        size = f" on {self.rows:,} rows" if self.rows is not None else ""
        return f"{self.title}: {self.verdict} ({tally}{size})"

    def __repr__(self) -> str:
        lines = [f"  {_MARKS[result.verdict]} {result.check.id}: {result.message}" for result in self._ordered()]
        return "\n".join([self._headline(), *lines])

    def _repr_html_(self) -> str:
        body = "".join(_row(result) for result in self._ordered())
        head = "".join(f'<th scope="col" style="text-align:left">{word}</th>' for word in ("Verdict", "Check", "Finding"))
        return (
            '<table style="border-collapse:collapse">'
            f'<caption style="text-align:left;font-weight:bold">{escape(self._headline())}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def _row(result: CheckResult) -> str:
    shown = "".join(f"<li><code>{escape(_example(row))}</code></li>" for row in result.examples[:_EXAMPLES])
    detail = f"<details><summary>rows</summary><ul>{shown}</ul></details>" if shown else ""
    cells = (f"{_MARKS[result.verdict]} {result.verdict}", result.check.id)
    plain = "".join(f'<td style="text-align:left;vertical-align:top">{escape(text)}</td>' for text in cells)
    return f'<tr>{plain}<td style="text-align:left">{escape(result.message)}{detail}</td></tr>'


def _example(row: object) -> str:
    items = list(row.items())[:6] if isinstance(row, dict) else []
    return ", ".join(f"{key}={value!r}" for key, value in items)
