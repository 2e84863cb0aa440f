r"""Paths of the machine that a run was made on, and what stands for them in what is committed.

The project's root goes (its files become relative paths), a staged product becomes the product, the interpreter's folders become
``<python>``, the home folder ``~``. Other absolute paths below a home, a temporary folder or ``C:\Users`` keep their last
component only. URLs keep their paths.

The machine's name, where it is distinctive (6 characters or more, with a digit, dot or hyphen), is replaced by ``host`` as a
whole word. A user's name says nothing by itself; it is replaced where it stands before ``@`` and the machine's name, as in a
prompt, and it goes with the paths above.
"""

from __future__ import annotations

import getpass
import html
import json
import os
import re
import site
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from nbops.record.escapes import find_through
from nbops.record.secret_values import replace_spans

__all__ = ["PathMask"]

_STOP = r"\s\"'`<>|*?\x00,;()\[\]{}&"  # what ends a path in running text
_AFTER = r"(?![\w-]|\.\w)"  # /home/u/shop is no beginning of /home/u/shop2 or /home/u/shop.bak
_OWN = "".join(rf"(?<!{name})" for name in ("<python>", "<path>", "<tmp>", "&lt;python&gt;", "&lt;path&gt;", "&lt;tmp&gt;"))
_BEFORE = rf"(?:(?<![\w.~%/\\-]){_OWN}|(?<=\bfile://)|(?<=:///)|(?<=\s-[A-Z])|(?<=\\[nrt]))"
_URL = r"(?P<url>\b(?!file:|sqlite:|duckdb:|jdbc:)[A-Za-z][A-Za-z0-9+.-]{1,20}://(?!/)[^\s\"'<>`\\]+)"
_FOLDER = r"(?:/(?:home|Users)/|/root/|/tmp/|/private/tmp/|/(?:private/)?var/folders/|/var/tmp/)"
_WINDOWS = r"[A-Za-z]:(?:\\{1,4}|/)(?i:Users)(?:\\{1,4}|/)"
_GENERIC = (
    rf"(?:(?<=[\"'])(?P<quoted>{_FOLDER}[^\"'\n<>|*?,;:]{{1,300}})(?=[\"'])"  # a quoted path may hold spaces
    rf"|(?P<other>{_FOLDER}[^{_STOP}/:]+(?:/+[^{_STOP}/:]+)*/?|{_WINDOWS}[^{_STOP}:\\/]+(?:(?:\\{{1,4}}|/)[^{_STOP}:\\/]+)*))"
)
_HEADS = ("/home/", "/Users/", "/root/", "/tmp/", "/var/", "Users")  # noqa: S108  (looked for, not written to)
_SEPARATOR = r"[/\\]+" if os.name == "nt" else "/+"
_RANDOM = re.compile(r"(?:tmp|ipykernel_|pytest-)[a-z0-9_]+")  # names that the next run does not have
_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")  # of sysconfig; modules are named as they are imported
_DISTINCTIVE_HOST = 6  # characters
_RUNS = 4  # rounds until nothing changes; nested findings need two


def _known(path: str | Path) -> set[str]:
    """Return a path as given and with its links resolved; the root of the file system is no finding."""
    found = {str(path)}
    with suppress(OSError, RuntimeError, ValueError):
        found.add(str(Path(path).resolve()))
    return {text.rstrip("/\\") for text in found if len(Path(text).parts) > 1}


def _forms(path: str) -> set[str]:
    """Return a path as it looks in text, JSON, HTML and a URL."""
    forms = {path, json.dumps(path)[1:-1], json.dumps(path, ensure_ascii=False)[1:-1], html.escape(path)}
    return forms | {quote(path), quote(path, safe="")} | {path.replace("\\", "/"), path.replace("\\", "\\\\\\\\")}


def _python_folders() -> set[str]:
    paths = sysconfig.get_paths()
    folders = {sys.prefix, sys.base_prefix, sys.exec_prefix, *(paths[name] for name in _LIBRARIES if name in paths)}
    with suppress(Exception):  # some embedded interpreters have no user site
        folders |= {*site.getsitepackages(), site.getusersitepackages()}
    # the system's own interpreter lives in folders that tell nothing
    return {folder for folder in folders if not folder.startswith("/usr") or "site-packages" in folder}


class PathMask:
    """Finds and masks the paths, the name and the user of this machine.

    Args:
        root: The project's root.
        moved: Path of a staged file or folder to what it is called in the record, for example the product's path relative to the
            root. Keys are absolute, or relative to the root.
        home: The user's home folder; found out when None.
    """

    def __init__(self, root: Path, *, moved: Mapping[str, str] | None = None, home: Path | None = None) -> None:
        self._root = root.absolute()
        self._moved = dict(moved or {})
        self._home = home
        self._names: dict[str, str] = {}
        self._relative: dict[str, str] = {}
        self._host = socket.gethostname()
        named = len(self._host) >= _DISTINCTIVE_HOST and not self._host.startswith("localhost")
        self._distinctive = named and re.search(r"[\d.-]", self._host) is not None
        self._fill()

    def _fill(self) -> None:
        """Collect the known paths; where two stand for one text, what was named first stays."""
        for staged, product in self._moved.items():
            for path in _known(self._root / staged):
                self._add(path, product)
            if not Path(staged).is_absolute():
                self._relative[staged] = product
        for path in _known(self._root):
            self._add(path, "")
        for folder in sorted(_python_folders(), key=len, reverse=True):
            for path in _known(folder):
                self._add(path, "<python>")
        for path in _known(tempfile.gettempdir()):
            self._add(path, "<tmp>")
        with suppress(RuntimeError):  # a user without a home
            for path in _known(self._home or Path.home()):
                self._add(path, "~")

    def _add(self, path: str, name: str) -> None:
        for form in _forms(path):
            self._names.setdefault(form, name)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        known = "|".join(map(re.escape, sorted(self._names, key=len, reverse=True)))
        relative = "|".join(map(re.escape, sorted(self._relative, key=len, reverse=True)))
        rest = rf"(?P<rest>(?:{_SEPARATOR}[^{_STOP}:/\\]+)*(?:{_SEPARATOR})?)"
        options = [_URL, f"{_BEFORE}(?P<known>{known}){_AFTER}{rest}", _BEFORE + _GENERIC]
        if relative:
            options.append(rf"(?<![\w./\\-])(?P<relative>{relative}){_AFTER}")
        options += self._identity()
        return re.compile("|".join(options))

    def _identity(self) -> list[str]:
        options = []
        user = ""
        with suppress(Exception):  # no such user in the password database
            user = getpass.getuser()
        if self._host and user:
            options.append(rf"(?P<prompt>(?<![\w.-]){re.escape(user)}@{re.escape(self._host)}(?![\w-]))")
        if self._distinctive:
            options.append(rf"(?P<host>(?<![\w.-]){re.escape(self._host)}(?![\w-]))")
        return options

    def _stand_in(self, match: re.Match[str]) -> str | None:
        """Return what takes the place of a match, None when it may stay."""
        kind = match.lastgroup if match.lastgroup != "rest" else "known"
        if kind == "url":
            return self._in_url(match["url"])
        if kind == "known":
            name, rest = self._names[match["known"]], match["rest"]
            return self._of_known(name, rest)
        if kind == "relative":
            return self._relative[match["relative"]]
        if kind == "prompt":
            return "user@host"
        return "host" if kind == "host" else _last_component(match["other"] or match["quoted"])

    @staticmethod
    def _of_known(name: str, rest: str) -> str | None:
        if name == "":  # the root: its files are relative to it
            return rest.lstrip("/\\") or "."
        if name == "<tmp>":  # what lies below has a random name
            return _last_component(rest, folder="<tmp>") if rest.strip("/\\") else "<tmp>"
        return name + rest

    def _in_url(self, url: str) -> str:
        """Mask what stands in a URL's query or fragment, and the machine's name; its path belongs to the server."""
        split = re.search(r"[?#]", url)
        tail = url[split.start() :] if split else ""
        front = url[: len(url) - len(tail)]
        if self._distinctive:
            front = re.sub(rf"(?<![\w.-]){re.escape(self._host)}(?![\w-])", "host", front)
        return front + self.mask(tail)

    @cached_property
    def _heads(self) -> re.Pattern[str]:
        """What every finding holds; lines without it are passed over, as the whole pattern is slow."""
        heads = {*_HEADS, *self._names, *self._relative, *([self._host] if self._host else [])}
        least = {head for head in heads if not any(other != head and other in head for other in heads)}
        return re.compile("|".join(map(re.escape, sorted(least))))

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and stand-in of every machine path in ``text``; spans do not overlap."""
        end = -1
        for head in self._heads.finditer(text):
            if head.start() < end:
                continue  # this line was looked at
            start = text.rfind("\n", 0, head.start()) + 1
            end = text.find("\n", head.end())
            end = len(text) if end < 0 else end
            for match in self._pattern.finditer(text, start, end):
                new = self._stand_in(match)
                if new is not None and new != match.group():
                    yield match.start(), match.end(), new

    def mask(self, text: str, *, markup: bool = False) -> str:
        """Return ``text`` without paths of this machine.

        Args:
            text: Any text.
            markup: It is HTML or SVG: stand-ins are escaped.
        """
        for _ in range(_RUNS):
            before = text
            found = find_through(text, self.find)
            text = replace_spans(
                text, ((start, end, html.escape(new, quote=False) if markup else new) for start, end, new in found)
            )
            if text == before:
                break
        return text


def _last_component(path: str, *, folder: str = "<path>") -> str | None:
    """Return a masked path that keeps the last component, None for a bare folder such as ``/tmp`` that tells nothing."""
    parts = [part for part in re.split(r"[/\\]+", path) if part]
    if folder == "<tmp>" and parts and _RANDOM.fullmatch(parts[-1]):
        return folder
    if not parts or parts in (["tmp"], ["root"], ["private", "tmp"], ["var", "folders"]):
        return None
    home_only = len(parts) == 2 and parts[0].casefold() in {"home", "users"}  # noqa: PLR2004  (/home/bob)
    windows_home_only = len(parts) == 3 and parts[1].casefold() == "users"  # noqa: PLR2004  (C:\Users\bob)
    return folder if home_only or windows_home_only else f"{folder}/{parts[-1]}"
