"""Where the code of a project is: the address of its repository, without a user's name or password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nbops.record.git import Git, GitError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["source_of", "web_address"]

_SCP = re.compile(r"(?:[^@/\s]+@)?([A-Za-z0-9.-]+):(?!/)([^\s:]+)")
"""git's short form, ``git@host:team/project.git``."""


def source_of(root: Path) -> Mapping[str, str] | None:
    """Return the repository's web address (``url``) and the project's place in it (``prefix``); ``None`` when nobody knows."""
    git = Git(folder=root)
    try:
        remote = git.maybe("config", "--get", "remote.origin.url")
        prefix = git.maybe("rev-parse", "--show-prefix")
    except GitError:
        return None
    url = web_address(remote or "")
    return None if url is None or prefix is None else {"url": url, "prefix": prefix}


def web_address(remote: str) -> str | None:
    """Return the address under which people find a remote; ``None`` for one on this machine.

    >>> web_address("git@example.org:team/shop.git"), web_address("https://me:secret@example.org/team/shop.git")
    ('https://example.org/team/shop', 'https://example.org/team/shop')
    >>> web_address("/srv/git/shop.git") is None
    True
    """
    short = _SCP.fullmatch(remote)
    if short and "://" not in remote:
        return f"https://{short[1]}/{short[2].removesuffix('.git').strip('/')}"
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https", "ssh", "git"} or not host:
        return None
    web = parts.scheme in {"http", "https"}
    place = parts.path.removesuffix(".git").rstrip("/")
    return f"{parts.scheme if web else 'https'}://{host}{f':{port}' if web and port else ''}{place}"
