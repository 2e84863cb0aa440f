"""Why a task must run, or need not: pure comparison of fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UP_TO_DATE", "reasons_to_run"]

UP_TO_DATE = "nothing it depends on changed"
_MOST_NAMED = 5


def reasons_to_run(
    *,
    before: Mapping[str, Any] | None,
    recipe: Mapping[str, Any],
    upstream: Mapping[str, str],
    outputs: Mapping[str, str | None],
    forced: bool,
    observed: Mapping[str, str | None] | None = None,
) -> tuple[str, ...]:
    """Return why a task must run, most important first; empty when it is up to date.

    Args:
        before: Fingerprint of the last success, or None when there was none.
        recipe: What the task depends on now: code, parameters, files, modules, packages, product paths.
        upstream: Meaning of each upstream product now, ``task.key`` to hash.
        outputs: Hash of each file product on disk now, None where it is missing.
        forced: The user asked for it.
        observed: Hash now of each file that it read, without saying so, when it last ran.
    """
    if forced:
        return ("forced",)
    if before is None:
        return ("it never ran successfully here",)
    reasons: list[str] = []
    if before.get("code") != recipe["code"]:
        reasons.append("its code changed")
    reasons += _changes("parameter", before.get("parameters", {}), recipe["parameters"])
    reasons += _changes("upstream data", before.get("upstream", {}), upstream)
    seen = before.get("observed", {})
    since = {name: value for name, value in seen.items() if name in recipe["files"]}  # declared by now
    reasons += _changes("input file", {**since, **before.get("files", {})}, recipe["files"])
    now = {name: value for name, value in (observed or {}).items() if value is not None and name not in since}
    reasons += _changes("undeclared input file", {name: seen[name] for name in seen if name not in since}, now)
    reasons += _changes("module", before.get("modules", {}), recipe["modules"])
    reasons += _package_changes(before.get("packages", {}), recipe["packages"])
    if before.get("products") != recipe["products"]:
        reasons.append("its products were declared differently")
    recorded = before.get("outputs", {})
    for key, value in sorted(outputs.items()):
        path = recipe["products"].get(key, key)
        if value is None:
            reasons.append(f"product {path} is missing")
        elif recorded.get(key) != value and before.get("products") == recipe["products"]:
            reasons.append(f"product {path} was changed by something else")
    return tuple(reasons)


def _changes(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            found.append(f"{what} {name} is new")
        elif name not in now:
            found.append(f"{what} {name} is gone")
        elif before[name] != now[name]:
            found.append(f"{what} {name} changed")
    return _bounded(found, what)


def _package_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    found = [
        f"package {name}: {before.get(name, 'not used')} became {now.get(name, 'not used')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    return _bounded(found, "package")


def _bounded(found: list[str], what: str) -> list[str]:
    if len(found) <= _MOST_NAMED:
        return found
    return [*found[:_MOST_NAMED], f"and {len(found) - _MOST_NAMED} more changes of kind '{what}'"]
