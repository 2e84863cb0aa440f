"""Assignments in the languages of other kernels, by papermill's translators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["assignments"]


def assignments(values: Mapping[str, Any], *, language: str, comment: str) -> str:
    """Return source code that assigns ``values`` in a language that papermill knows, for example R or Julia.

    Args:
        values: Names and JSON-like values.
        language: The kernel's language.
        comment: A line that goes before.

    Raises:
        papermill.exceptions.PapermillException: The language is unknown.
    """
    from papermill.translators import translate_parameters  # noqa: PLC0415 - takes seconds, and few need it

    return str(translate_parameters(language, language, dict(values), comment))
