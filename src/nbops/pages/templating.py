"""The template environment: escapes everything, knows no undefined name, and bounds every value."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nbops.pages import text, timing, words
from nbops.pages.fresh import moment_of
from nbops.pages.incidents import incident_mark, incident_page
from nbops.pages.names import page_name
from nbops.pages.series_words import series_name
from nbops.pages.views import balance
from nbops.quality.compiled import compiled_templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["BUILT", "SITE", "STYLESHEET", "load_template", "markup", "page", "stylesheet", "template_hash"]

_TEMPLATES = Path(__file__).parent / "templates"
STYLESHEET = _TEMPLATES / "nbops.css"
SITE = (
    ("index.html", "Latest run"),
    ("history.html", "History"),
    ("monitoring.html", "Monitoring"),
    ("incidents.html", "Incidents"),
    ("catalog.html", "Catalog"),
    ("lineage.html", "Lineage"),
)
"""Pages of the whole site that every page leads to: file below ``reports/`` and title."""
BUILT = tuple(
    f"{name}.html.j2"
    for name in (
        *("base", "_parts", "_changes", "_sources", "_course", "_watch", "_matrix", "_lineage", "_catalog"),
        *("run", "task", "dataset", "index", "history", "monitoring", "watch", "incidents", "catalog", "lineage"),
    )
)
"""Templates of the pages that a build makes."""
_SYMBOL = re.compile(r'<symbol id="m-(\w+)".*?</symbol>\n?', re.DOTALL)
_USE = re.compile(r'<use [^>]*href="#m-(\w+)"')
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def _final(thing: Any) -> Any:
    """Bound and clean whatever a template prints; what is markup already was made by us."""
    if hasattr(thing, "__html__"):
        return thing
    return "" if thing is None else text.clean(text.cut(str(thing)))


def _short(thing: Any, limit: int = 80) -> str:
    return text.short(str(thing), limit)


def _tail(thing: str, limit: int) -> str:
    return thing if len(thing) <= limit else "…" + thing[-limit:]


def _example_columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _sentences(reasons: Sequence[str], most: int) -> str:
    more = len(reasons) - most
    said = "; ".join(reason.rstrip(".") for reason in reasons[:most])
    return f"{said}; and {text.count(more)} more" if more > 0 else said


def _by_rows(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def _stamp(file: str) -> str:
    """Return what tells one state of a file from another; settings in it decide how templates are compiled."""
    try:
        found = Path(file).stat()
    except OSError:  # bundled in an archive
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_final,
        bytecode_cache=compiled_templates("pages", metadata.version("nbops"), _stamp(__file__)),
    )
    environment.filters.update(
        balance=balance,
        began=timing.began,
        brief=text.brief,
        brief_day=text.brief_day,
        by_rows=_by_rows,
        contract_name=lambda path: path.rsplit("/", 1)[-1].removesuffix(".yaml").removesuffix(".odcs"),
        count=text.count,
        cut=text.cut,
        day=text.day,
        duration=text.duration,
        example_columns=_example_columns,
        figure=words.figure,
        sentences=_sentences,
        expectation=words.expectation,
        incident_mark=incident_mark,
        incident_page=incident_page,
        instant=text.instant,
        label=words.label,
        minute=text.minute,
        mark=words.mark,
        no_ansi=lambda thing: _ANSI.sub("", thing),
        not_committed=text.not_committed,
        observed=words.observed,
        page_name=page_name,
        percent=lambda number: f"{number:.2f}%",
        plural=text.plural,
        px=lambda number: f"{number:.1f}".removesuffix(".0"),
        rule=words.rule,
        run_day=lambda run_id: text.minute(moment_of(run_id) or run_id),
        series_name=series_name,
        short=_short,
        size=text.size,
        tail=_tail,
        terms=words.terms,
        value=text.value,
    )
    environment.globals["site"] = SITE
    environment.globals["script"] = _script
    environment.globals["script_hash"] = _script_hash
    return environment


@cache
def _script(name: str) -> Markup:
    """Return a script of ours as it stands between its tags: it only adds comfort to a page that is whole without it."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    return Markup("\n".join(line.strip() for line in text.splitlines() if line.strip()))  # noqa: S704  # a file of our own


@cache
def _script_hash(name: str) -> str:
    """Return the hash by which a page's policy allows this one script and no other."""
    return base64.b64encode(hashlib.sha256(_script(name).encode("utf-8")).digest()).decode("ascii")


def page(template: str, context: Mapping[str, Any]) -> str:
    """Return a page as HTML text.

    Args:
        template: File name in ``templates/``.
        context: What it shows; a name that is missing raises ``jinja2.UndefinedError``.
    """
    html = _only_used_marks(_environment().get_template(template).render(context))
    return re.sub(r"\n\s*\n+", "\n", html) + "\n" if "<pre" not in html else _squeeze(html)


def load_template(name: str) -> None:
    """Have a template ready, which the first page made of it would wait for otherwise.

    Args:
        name: File name in ``templates/``.
    """
    _environment().get_template(name)


def _only_used_marks(html: str) -> str:
    """Drop the drawings that a page does not use: they weigh as much as a small page's own text."""
    used = set(_USE.findall(html))
    return _SYMBOL.sub(lambda found: found.group() if found[1] in used else "", html)


def _squeeze(html: str) -> str:
    """Drop the blank lines that control tags leave, except in preformatted text."""
    parts: Sequence[str] = re.split(r"(<pre\b.*?</pre>)", html, flags=re.DOTALL)
    return "".join(part if part.startswith("<pre") else re.sub(r"\n\s*\n+", "\n", part) for part in parts) + "\n"


def stylesheet() -> Markup:
    """Return the stylesheet as a page holds it that stands alone."""
    return Markup(STYLESHEET.read_text(encoding="utf-8"))  # noqa: S704  # a file of our own


@cache
def template_hash() -> str:
    """Return a hash of all templates: a page that was made of others is to be made again."""
    texts = [path.read_bytes() for path in sorted(_TEMPLATES.iterdir()) if path.suffix in {".j2", ".svg"}]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def markup(template: str, *values: Any) -> Markup:
    """Return a small piece of markup with its values escaped, for facts that hold more than text."""
    return Markup(template).format(*(_final(item) for item in values))  # noqa: S704  # literal templates only
