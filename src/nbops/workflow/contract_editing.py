"""A contract being edited: its text, what is wrong with it, what has changed, and saving it without losing anybody's work."""

from __future__ import annotations

import difflib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbops.contract import fields
from nbops.contract.odcs import SUFFIXES, load_contracts, parse_contracts
from nbops.contract.yamlfile import display_path, read_file
from nbops.errors import ContractError, did_you_mean

if TYPE_CHECKING:
    from nbops.contract.config import Config
    from nbops.contract.records import Contract

__all__ = ["ContractEdit", "ContractSession", "contract_file"]

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractEdit:
    """One change that somebody made, so that it can be made again on another text."""

    what: Literal["set", "add", "drop"]
    field: str = ""
    column: str | None = None
    value: Any = None

    def __str__(self) -> str:
        """Return it in a few words, for people."""
        if self.what != "set":
            return f"column {self.column} {'added' if self.what == 'add' else 'dropped'}"
        return f"{self.field} of {self.column}" if self.column is not None else self.field


def contract_file(root: Path, config: Config, dataset: str) -> Path:
    """Return the file that holds the contract of a dataset.

    Args:
        root: The project's root.
        config: The project's settings.
        dataset: The dataset's name; never taken for a path.

    Raises:
        ContractError: There is none, or it is outside of the project.
    """
    folder = root / config.contracts
    names: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
        if suffix is not None and path.is_file():
            names[path.name.removesuffix(suffix)] = path
    found = names.get(dataset)
    if found is None:
        with suppress(ContractError):  # a file that holds several; one that is wrong is told of when it is asked for
            contracts = load_contracts(folder, root=root)
            names |= {name: root / contract.path for name, contract in contracts.items()}
            found = names.get(dataset)
    if found is None:
        raise ContractError(
            f"{config.contracts}/: no contract of {dataset[:60]!r}; `nbops contract {dataset[:60]} --write` suggests one. "
            f"{did_you_mean(dataset[:60], names)}"
        )
    if not found.resolve().is_relative_to(root.resolve()):
        raise ContractError(f"{display_path(found, root=root)}: leads out of the project, so it is not edited here.")
    return found


class ContractSession:
    """The contract of one dataset, from when it was loaded until it is saved.

    Args:
        root: The project's root.
        config: The project's settings.
        dataset: The dataset's name.

    Raises:
        ContractError: There is no contract of this name, or its file cannot be read at all.
    """

    def __init__(self, root: Path, config: Config, dataset: str) -> None:
        self.root, self.config, self.dataset = root, config, dataset
        self.path = contract_file(root, config, dataset)
        self.shown = display_path(self.path, root=root)
        self._loaded = read_file(self.path, shown=self.shown)
        self._texts = [_decoded(self._loaded, self.shown)]
        self._edits: list[ContractEdit] = []
        self._undone: list[tuple[ContractEdit, str]] = []
        fields.fields_of(self.text, dataset, shown=self.shown)

    @property
    def text(self) -> str:
        """The contract as it is now, saved or not."""
        return self._texts[-1]

    @property
    def edits(self) -> tuple[ContractEdit, ...]:
        """What was changed since it was loaded or saved, in order."""
        return tuple(self._edits)

    @property
    def changed(self) -> bool:
        """Whether anything is not saved."""
        return self._bytes() != self._loaded

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._edits)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back."""
        return bool(self._undone)

    def fields(self) -> dict[str, Any]:
        """Return what a form shows (:func:`nbops.contract.fields.fields_of`)."""
        return fields.fields_of(self.text, self.dataset, shown=self.shown)

    # -- changing

    def set(self, field: str, value: Any, *, column: str | None = None) -> None:
        """Change a field (:func:`nbops.contract.fields.set_field`).

        Raises:
            ContractError: It cannot have this value, or not without changing something else; nothing is changed.
        """
        self._apply(ContractEdit(what="set", field=field, column=column, value=value))

    def add_column(self, name: str, logical_type: str | None = None) -> None:
        """Add a column behind the others."""
        self._apply(ContractEdit(what="add", column=name, value=logical_type))

    def drop_column(self, name: str) -> None:
        """Take a column out, with its rules."""
        self._apply(ContractEdit(what="drop", column=name))

    def _apply(self, edit: ContractEdit) -> None:
        made = self._made(self.text, edit)
        if made == self.text:
            return
        self._texts.append(made)
        self._edits.append(edit)
        self._undone.clear()

    def _made(self, text: str, edit: ContractEdit) -> str:
        if edit.what == "add":
            return fields.add_column(text, self.dataset, edit.column or "", logical_type=edit.value, shown=self.shown)
        if edit.what == "drop":
            return fields.drop_column(text, self.dataset, edit.column or "", shown=self.shown)
        return fields.set_field(text, self.dataset, edit.field, edit.value, column=edit.column, shown=self.shown)

    def undo(self) -> ContractEdit | None:
        """Take the last change back; None when there is none."""
        if not self._edits:
            return None
        edit = self._edits.pop()
        self._undone.append((edit, self._texts.pop()))
        return edit

    def redo(self) -> ContractEdit | None:
        """Make the last change again that was taken back; None when there is none."""
        if not self._undone:
            return None
        edit, text = self._undone.pop()
        self._edits.append(edit)
        self._texts.append(text)
        return edit

    def revert(self) -> None:
        """Forget all changes."""
        self._texts = [_decoded(self._loaded, self.shown)]
        self._edits.clear()
        self._undone.clear()

    # -- judging

    def contract(self) -> Contract:
        """Return the contract as it is now, by the validator that builds use.

        Raises:
            ContractError: It is wrong; each line of the message is one problem.
        """
        contracts = {item.dataset: item for item in parse_contracts(self._bytes(), path=self.path, root=self.root)}
        if self.dataset not in contracts:
            raise ContractError(f"{self.shown}: is no longer about {self.dataset!r}.")
        return contracts[self.dataset]

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with the contract as it is now, a sentence each."""
        try:
            self.contract()
        except ContractError as error:
            return tuple(str(error).splitlines())
        return ()

    def diff(self) -> tuple[str, ...]:
        """Return what saving would change, as lines of a unified diff; none when nothing is changed."""
        before = _decoded(self._loaded, self.shown).splitlines()
        after = self.text.splitlines()
        return tuple(difflib.unified_diff(before, after, fromfile=self.shown, tofile=f"{self.shown} (not saved)", lineterm=""))

    # -- the file

    def conflict(self) -> str | None:
        """Return what happened to the file since it was loaded, in a sentence; None when it is as it was."""
        try:
            now = self.path.read_bytes()
        except FileNotFoundError:
            return f"{self.shown}: is gone; saving would make it again."
        except OSError as error:
            return f"{self.shown}: cannot be read: {error.strerror}."
        if now == self._loaded:
            return None
        return f"{self.shown}: was changed by somebody else since it was opened here."

    def take_in(self) -> tuple[ContractEdit, ...]:
        """Load the file anew, and make the changes again that were made here.

        Returns:
            Changes that cannot be made any more; they are not in the text.

        Raises:
            ContractError: The file cannot be read; nothing is lost.
        """
        raw = read_file(self.path, shown=self.shown)
        text = _decoded(raw, self.shown)
        fields.fields_of(text, self.dataset, shown=self.shown)
        texts, edits, lost = [text], [], []
        for edit in self._edits:
            try:
                text = self._made(text, edit)
            except ContractError:
                lost.append(edit)
                continue
            texts.append(text)
            edits.append(edit)
        self._loaded, self._texts, self._edits = raw, texts, edits
        self._undone.clear()
        return tuple(lost)

    def save(self, *, over: bool = False) -> str:
        """Write the file, whole or not at all.

        Args:
            over: Also over what somebody else wrote meanwhile.

        Returns:
            What was done, in a sentence.

        Raises:
            ContractError: The contract is wrong, or the file was changed meanwhile; nothing is written and nothing lost.
        """
        self.contract()
        if not over and (conflict := self.conflict()) is not None:
            raise ContractError(f"{conflict} Nothing was written, and your changes are still here.")
        if not self.changed and self.path.exists():
            return f"{self.shown}: nothing to save."
        made = self._bytes()
        _write(self.path, made)
        self._loaded, self._texts = made, [self.text]
        self._edits.clear()
        self._undone.clear()
        return f"{self.shown}: saved; the next build judges by it. It is yours to commit."

    def _bytes(self) -> bytes:
        mark = _BOM if self._loaded.startswith(_BOM) else b""
        return mark + self.text.encode("utf-8")


def _decoded(raw: bytes, shown: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractError(f"{shown}: not UTF-8. Save the file as UTF-8.") from error


def _write(path: Path, raw: bytes) -> None:
    """Exchange a file in one step, with the permissions that it had; a link stays one, and what it leads to is exchanged."""
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
