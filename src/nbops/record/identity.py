"""Who commits, as git has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbops.record.git import Git

__all__ = ["identity_of", "strict"]

_FALLBACK = ("nbops", "nbops@localhost")


def strict(git: Git) -> Git:
    """Return git that fails where it would have to guess who commits."""
    return replace(git, settings=(*git.settings, "user.useConfigOnly=true"))


def identity_of(git: Git) -> tuple[dict[str, str], str]:
    """Return who commits, as environment variables, and a note when git does not know."""
    sure = strict(git)
    if sure.maybe("var", "GIT_AUTHOR_IDENT") and sure.maybe("var", "GIT_COMMITTER_IDENT"):
        return {}, ""
    name, address = _FALLBACK
    found = {
        f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in (("NAME", name), ("EMAIL", address))
    }
    note = f" Git does not know who you are, so it says {name} <{address}>: set user.name and user.email."
    return found, note
