"""The one line in ``pipeline.yaml``: put in and taken out, every other byte left as it was.

The file is never written by a YAML library, which would reflow it. A line is inserted or removed in the text, and the edit is
made only when the new text then parses to the old document with exactly that difference.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nbops.errors import ConfigError
from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["HOOK", "Edited", "attach_pipeline", "detach_pipeline", "ignore_in_git", "with_hook", "without_hook"]

HOOK = "nbops.attach"
_KEY = "on_render"
_LINE = f"{_KEY}: {HOOK}"
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What became of a ``pipeline.yaml``."""

    change: Literal["added", "removed", "none"]
    line: int | None = None
    """Where the hook stands (or stood), counted from 1."""
    ignored: tuple[str, ...] = ()
    """Entries that were added to ``.gitignore``."""


def attach_pipeline(path: Path, *, ignore: Iterable[str] = ()) -> Edited:
    """Add ``on_render: nbops.attach`` to a pipeline file, and what nbops keeps beside it to ``.gitignore``.

    Args:
        path: The pipeline file.
        ignore: Entries for the ``.gitignore`` beside it.

    Raises:
        ConfigError: It cannot be read, is no mapping, or has another hook in that place; nothing was changed.
        OSError: It cannot be written.
    """
    text = _read(path)
    found = _hook(_compose(text, path.name))
    line, change = found.line if found else None, "none"
    if found is not None and not found.ours:
        raise ConfigError(_taken(path.name, found))
    if found is None:
        text, line = with_hook(text, name=path.name)
        change = "added"
    ignored = ignore_in_git(path.parent / ".gitignore", ignore)  # first: a build must never commit what is in there
    if change == "none":
        return Edited(change="none", line=line, ignored=ignored)
    _write(path, text)
    return Edited(change="added", line=line, ignored=ignored)


def detach_pipeline(path: Path) -> Edited:
    """Take the line out again. ``.gitignore`` stays: the folders that it names may still hold rows that must not be committed.

    Raises:
        ConfigError: It cannot be read, or the hook is not written on lines of its own; nothing was changed.
        OSError: It cannot be written.
    """
    text = _read(path)
    found = _hook(_compose(text, path.name))
    if found is None or not found.ours:
        return Edited(change="none")
    _write(path, without_hook(text, name=path.name))
    return Edited(change="removed", line=found.line)


def with_hook(text: str, *, name: str = "pipeline.yaml") -> tuple[str, int]:
    r"""Return the text of a pipeline file with the line at its top, and the line's number.

    Below a byte order mark, directives and ``---``; with the file's own line ends and the indentation of its first key.

    Raises:
        ConfigError: There is no place for it.

    >>> with_hook("tasks: []  # mine\n")
    ('on_render: nbops.attach\ntasks: []  # mine\n', 1)
    """
    root = _compose(text, name)
    start = len(_BOM) if text.startswith(_BOM) else 0
    marker = _document_start(text)
    start = marker if marker is not None else start
    ending = "\r\n" if "\r\n" in text else "\n"
    before = text[:start]
    if before and not before.endswith(("\n", _BOM)):  # `---` ends a file without a line end: there is nothing below it
        raise ConfigError(_by_hand(name))
    edited = f"{before}{' ' * root.start_mark.column}{_LINE}{ending}{text[start:]}"
    _verify(edited, name, without=root, present=True)
    return edited, before.count("\n") + 1


def without_hook(text: str, *, name: str = "pipeline.yaml") -> str:
    r"""Return the text of a pipeline file without the line, or lines, of nbops's hook.

    Raises:
        ConfigError: The hook shares its line with something else.

    >>> without_hook("# top\non_render: nbops.attach\ntasks: []\n")
    '# top\ntasks: []\n'
    """
    root = _compose(text, name)
    found = _hook(root)
    if found is None:
        return text
    first = text.rfind("\n", 0, found.start) + 1
    first += len(_BOM) if text.startswith(_BOM, first) else 0
    last = text.find("\n", found.end)
    last = len(text) if last < 0 else last + 1
    rest = text[found.end : last].strip()
    aliased = found.end < found.start  # `*name`: the value stands elsewhere
    if aliased or text[first : found.start].strip() or (rest and not rest.startswith("#")):
        raise ConfigError(_by_hand(name, undo=True))
    edited = text[:first] + text[last:]
    _verify(edited, name, without=root, present=False)
    return edited


def ignore_in_git(path: Path, entries: Iterable[str]) -> tuple[str, ...]:
    """Add folders to a ``.gitignore`` that does not name them yet; what is in it stays as it is.

    Args:
        path: The file; made when missing.
        entries: Folders relative to it, such as ``.nbops/``.

    Returns:
        The entries that were added.

    Raises:
        OSError: It cannot be read or written.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raw = b""
    known = {line.strip().strip("/") for line in raw.decode("utf-8", "replace").splitlines()}
    added = tuple(entry for entry in entries if entry.strip("/") not in known)
    if added:
        ending = b"\r\n" if b"\r\n" in raw else b"\n"
        gap = ending if raw and not raw.endswith(b"\n") else b""
        _write_bytes(path, raw + gap + b"".join(entry.encode() + ending for entry in added))
    return added


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An ``on_render`` entry; ``start`` and ``end`` are places in the text."""

    name: str
    line: int
    start: int
    end: int

    @property
    def ours(self) -> bool:
        return self.name == HOOK


def _compose(text: str, name: str) -> Any:
    """Return the root node of the document: a mapping in block style, as only that has lines of its own."""
    import yaml  # noqa: PLC0415 - only who edits pays for it

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}:" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{name}:{where} not valid YAML: {problem}. Nothing was changed.") from error
    if root is None:
        raise ConfigError(f"{name}: is empty. A pipeline has a list of `tasks`; `nbops init` makes a project that has one.")
    if isinstance(root, yaml.SequenceNode):
        raise ConfigError(
            f"{name}: is a list of tasks, which has no place for a hook. Put `tasks:` above the list and run this again."
        )
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{name}: is no pipeline: a mapping with `tasks` is needed.")
    if root.flow_style:
        raise ConfigError(_by_hand(name))
    return root


def _hook(root: Any) -> _Found | None:
    for key, value in root.value:
        if key.value == _KEY:
            return _Found(name=_dotted(value), line=key.start_mark.line + 1, start=key.start_mark.index, end=_end(value))
    return None


def _dotted(value: Any) -> str:
    """Return the function that a hook entry names: plain text, or a mapping with ``dotted_path``."""
    if isinstance(value.value, str):
        return str(value.value)
    named = [item.value for key, item in value.value if key.value == "dotted_path"] if value.id == "mapping" else []
    return str(named[0]) if named else ""


def _end(node: Any) -> int:
    """Return where a node's own text ends; the end of a block is where the next token starts, which is too far."""
    if node.id == "scalar" or getattr(node, "flow_style", False) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _document_start(text: str) -> int | None:
    """Return the place below the line ``---`` when the file has one."""
    place = 0
    for line in text.splitlines(keepends=True):
        place += len(line)
        words = line.removeprefix(_BOM).split()
        if words and words[0] == "---":
            return place
        if words and not words[0].startswith(("#", "%")):
            return None
    return None


def _verify(edited: str, name: str, *, without: Any, present: bool) -> None:
    """Hold the edited text against the document that it was made from; they may differ in the hook only."""
    import yaml  # noqa: PLC0415

    def rest(root: Any) -> str:
        pairs = [(key, value) for key, value in root.value if key.value != _KEY]
        return str(yaml.serialize(yaml.MappingNode(root.tag, pairs), Dumper=yaml.SafeDumper))

    after = None
    with suppress(ConfigError):
        after = _compose(edited, name)
    if after is None or rest(after) != rest(without) or (_hook(after) is not None) != present:
        raise ConfigError(_by_hand(name, undo=not present))


def _by_hand(name: str, *, undo: bool = False) -> str:
    what = f"Take `{_LINE}` out" if undo else f"Add `{_LINE}` at the top level"
    return f"{name}: is written in a way that a single line cannot be put in or taken out safely. {what} by hand."


def _taken(name: str, found: _Found) -> str:
    if not found.name:
        return f"{name}: line {found.line}: `{_KEY}` is there without a function. Write `{_LINE}` on that line."
    return (
        f"{name}: line {found.line}: `{_KEY}` calls {found.name[:80]!r} already, and Ploomber has one place for it. "
        f"Call nbops at the end of that function: `import nbops` and `nbops.attach(dag)` (it must take `dag`)."
    )


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: not UTF-8 at byte {error.start}. Save it as UTF-8 and run this again.") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file. Name a pipeline file, or make a project: `nbops init`.") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: is a folder. Name the pipeline file in it.") from error


def _write(path: Path, text: str) -> None:
    _write_bytes(path, text.encode("utf-8"))


def _write_bytes(path: Path, data: bytes) -> None:
    """Replace a file whole; a link stays one, and the file keeps its permissions."""
    target = path.resolve()
    mode = target.stat().st_mode if target.exists() else None
    replace_file(target, data)
    if mode is not None:
        target.chmod(mode & 0o7777)
