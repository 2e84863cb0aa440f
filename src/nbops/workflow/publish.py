"""Write, audit, publish: staging paths, the atomic step, and what to do when it was cut short.

A task writes into its staging folder. Once its data passed, a journal names every move; then the moves are made, each
an atomic rename. A build that dies before the journal is whole leaves the last good version; one that dies after it is
completed by the next build. Nothing in between is possible for a single path.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import TaskError
from nbops.workflow.datasets import absolute
from nbops.workflow.fingerprint import is_file_product
from nbops.workflow.hashing import digest
from nbops.workflow.previous import keep_previous
from nbops.workflow.state import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbops.pipeline import TaskSpec

__all__ = [
    "Staging",
    "flush",
    "flush_meanwhile",
    "is_decided",
    "leave",
    "missing_products",
    "planned",
    "publish",
    "recover",
    "set_aside",
    "stage",
    "undeclared",
]

_STAGING_DIR = ".nbops/staging"
_FAILED_DIR = ".nbops/failed"
_JOURNAL = "publish.json"
_KEEP_FAILED = 5
_JUNK = {".ipynb_checkpoints", "__pycache__", ".DS_Store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Where one attempt at a task writes."""

    folder: Path
    tree: Path
    """Mirrors the project: ``tree/output/x.parquet`` is published as ``output/x.parquet``."""
    staged: Mapping[str, str]
    """Product key to absolute staging path."""
    final: Mapping[str, str]
    """Product key to absolute final path."""
    notes: Path
    """Where ``nbops.check`` and ``nbops.expect`` write."""
    notebook: Path
    """Copy of the executed notebook."""
    log: Path
    quarantine: Path

    def aliases(self) -> dict[str, str]:
        """Return staging path to product path, for texts that people read."""
        found = {str(self.staged[key]): str(self.final[key]) for key in self.staged}
        found[str(self.tree) + "/"] = ""
        return found


def _folder_name(task: str) -> str:
    readable = "".join(c if c.isalnum() or c in "-_" else "_" for c in task)[:60]
    return f"{readable}-{digest(task)[:8]}"


def stage(root: Path, *, run_id: str, task: TaskSpec) -> Staging:
    """Make an empty staging folder for an attempt."""
    staging = planned(root, run_id=run_id, task=task)
    if staging.folder.exists():
        shutil.rmtree(staging.folder)
    staging.tree.mkdir(parents=True)
    for path in staging.staged.values():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    return staging


def planned(root: Path, *, run_id: str, task: TaskSpec) -> Staging:
    """Return where an attempt at a task is going to write; nothing is made.

    A product outside the project's file system is staged beside its final path: a rename cannot cross file systems.
    """
    folder = root / _STAGING_DIR / run_id / _folder_name(task.name)
    tree = folder / "tree"
    staged: dict[str, str] = {}
    final: dict[str, str] = {}
    for index, product in enumerate(task.products):
        if not is_file_product(product):
            continue
        target = absolute(root, product.path)
        if root in target.parents:
            path = tree / target.relative_to(root)
        elif _same_device(root, target):
            path = folder / "outside" / str(index) / target.name
        else:
            path = target.parent / f".nbops-{run_id}-{index}" / target.name
        staged[product.key], final[product.key] = str(path), str(target)
    return Staging(
        folder=folder,
        tree=tree,
        staged=staged,
        final=final,
        notes=folder / "notes.jsonl",
        notebook=folder / "executed.ipynb",
        log=folder / "log.txt",
        quarantine=folder / "quarantine",
    )


def _same_device(root: Path, target: Path) -> bool:
    existing = next(parent for parent in target.parents if parent.exists())
    return root.stat().st_dev == existing.stat().st_dev


def missing_products(staging: Staging) -> list[str]:
    """Return keys of declared products that the task did not make."""
    return sorted(key for key, path in staging.staged.items() if not Path(path).exists())


def undeclared(staging: Staging) -> list[Path]:
    """Return files that the task wrote beside its products without declaring them, relative to the project."""
    declared = {Path(path) for path in staging.staged.values()}
    found: list[Path] = []
    for base, folders, names in os.walk(staging.tree):
        folders[:] = sorted(name for name in folders if name not in _JUNK and Path(base, name) not in declared)
        for name in sorted(names):
            path = Path(base, name)
            if name in _JUNK or path in declared or any(parent in declared for parent in path.parents):
                continue
            found.append(path.relative_to(staging.tree))
    return found


def publish(
    staging: Staging,
    *,
    root: Path,
    extra: Iterable[tuple[Path, Path]],
    state: tuple[Path, Mapping[str, Any]],
) -> None:
    """Move everything that a task made to where it belongs.

    Args:
        staging: The attempt; its products are on the disk already, see :func:`flush`.
        root: The project's root.
        extra: Further moves (staged, final): quarantined rows, undeclared outputs.
        state: The task's new state file and its content, written with the moves.

    Raises:
        TaskError: A final path cannot be written; the journal stays, and the next build completes the moves.
    """
    moves = [(staging.staged[key], staging.final[key]) for key in sorted(staging.staged)]
    for source, target in extra:
        moves.append((str(source), str(target)))
        if staging.quarantine not in source.parents:
            _flush(source)
    journal = staging.folder / _JOURNAL
    # a single move is there or not, whether the journal survives a loss of power or not
    document = {"moves": moves, "state": {"path": str(state[0]), "document": dict(state[1])}}
    write_json(journal, document, durable=len(moves) > 1)
    _keep_what_differs(staging, root, state)
    _complete(journal)
    shutil.rmtree(staging.folder, ignore_errors=True)
    _drop_empty(staging, root)


def _keep_what_differs(staging: Staging, root: Path, state: tuple[Path, Mapping[str, Any]]) -> None:
    """Keep the version of each dataset that is about to be replaced by another one."""
    try:
        known = json.loads(state[0].read_text(encoding="utf-8"))["fingerprint"]["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    new = state[1].get("fingerprint", {}).get("outputs", {})
    for key, path in staging.final.items():
        if not isinstance(known, dict) or key not in known or known[key] != new.get(key):
            keep_previous(root, Path(path))


def _drop_empty(staging: Staging, root: Path) -> None:
    for path in staging.staged.values():
        folder = Path(path).parent
        if root not in folder.parents and folder.name.startswith(".nbops-"):
            shutil.rmtree(folder, ignore_errors=True)


def flush(staging: Staging) -> None:
    """Bring what is staged to the disk ahead of its publication, which then need not wait for it."""
    for path in (*map(Path, staging.staged.values()), staging.quarantine):
        if path.exists():
            _flush(path)


def flush_meanwhile(paths: Iterable[str | Path]) -> None:
    """Begin to bring files to the disk while this process goes on; :func:`flush` then finds less to wait for."""

    def work() -> None:
        for path in paths:
            with contextlib.suppress(OSError):  # `flush` meets it again
                _flush(Path(path))

    threading.Thread(target=work, name="nbops-flush", daemon=True).start()


def _flush(path: Path) -> None:
    """Make sure that the bytes are on disk before the name points at them."""
    if path.is_dir():
        for base, _, names in os.walk(path):
            for name in names:
                _flush(Path(base, name))
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_decided(staging: Staging) -> bool:
    """Return whether publication was decided but not completed: the next build will complete it."""
    return (staging.folder / _JOURNAL).exists()


def _complete(journal: Path) -> None:
    document = json.loads(journal.read_text(encoding="utf-8"))
    for source_text, target_text in document["moves"]:
        source, target = Path(source_text), Path(target_text)
        if not os.path.lexists(source):
            continue  # moved before the build died
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir() and not target.is_symlink():
                old = target.with_name(f".{target.name}.nbops-old")
                shutil.rmtree(old, ignore_errors=True)
                target.rename(old)
                source.rename(target)
                shutil.rmtree(old, ignore_errors=True)
            else:
                source.replace(target)
        except OSError as error:
            raise TaskError(
                f"{target_text}: cannot be published: {error.strerror or error}. What the task made is kept in "
                f"{journal.parent.name}; free the path and build again: the next build completes it."
            ) from error
    state = document["state"]
    # should a loss of power leave an older state, or a broken one, the task runs once more
    write_json(Path(state["path"]), state["document"], durable=False)
    journal.unlink()


def leave(root: Path, *, run_id: str) -> None:
    """Remove a run's staging folder at the end of the run, unless something is in it that the next build has to complete."""
    with contextlib.suppress(OSError):
        (root / _STAGING_DIR / run_id).rmdir()


def recover(root: Path) -> list[str]:
    """Complete what a killed build had decided to publish, and clear away what it had not.

    Returns:
        Sentences about what was completed.
    """
    base = root / _STAGING_DIR
    said: list[str] = []
    if not base.is_dir():
        return said
    for journal in sorted(base.glob(f"*/*/{_JOURNAL}")):
        try:
            _complete(journal)
        except (ValueError, KeyError, TypeError):
            continue  # no journal of ours: nothing was decided
        except TaskError as error:
            said.append(str(error))
            continue
        said.append(
            f"publication of {journal.parent.name} (run {journal.parent.parent.name}) was completed after an interruption"
        )
    for folder in base.glob("*/*"):
        if not (folder / _JOURNAL).exists():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in base.iterdir():
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when nothing undecided is left
    return said


def set_aside(staging: Staging, *, root: Path, run_id: str) -> Path:
    """Keep what a failed attempt made for inspection; returns the folder. Only the last few runs' are kept."""
    target = root / _FAILED_DIR / run_id / staging.folder.name
    if not staging.folder.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    staging.folder.rename(target)
    _prune(root / _FAILED_DIR)
    return target


def _prune(folder: Path) -> None:
    runs: Sequence[Path] = sorted(path for path in folder.iterdir() if path.is_dir())
    for old in runs[:-_KEEP_FAILED]:
        shutil.rmtree(old, ignore_errors=True)
