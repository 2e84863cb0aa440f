"""One git commit of what is under ``reports/``, and of nothing else.

The commit is made beside the user's work: a temporary index starts from HEAD, takes in ``reports/``, and becomes a tree and a
commit; the branch moves only if nobody moved it meanwhile. The user's own index gets the entries under ``reports/`` and keeps all
others, staged or not; the work tree is only read. Hooks do not run, and the commit is not signed.

What the user had staged under ``reports/`` is replaced by what lies there on disk, as that is what is committed.

Order matters when the process is killed. Until the branch moves nothing has happened but a few loose objects. The user's index is
brought up to date just before: were it after, an index that still holds the old reports would undo the commit when the user
commits next.
"""

from __future__ import annotations

import fnmatch
import os
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nbops.record.git import Git, GitError, NoGitError
from nbops.record.identity import identity_of, strict
from nbops.record.indexes import ConflictsError, WorkIndex, replaced_by, start_from, sweep_killed, work_index
from nbops.record.packing import pack_later
from nbops.record.repository import Repository, git_state, in_the_middle, open_repository, wait_for_index
from nbops.record.staging import files_below, take_in
from nbops.record.store import run_folders

if TYPE_CHECKING:
    from nbops.record.committed import Recent
    from nbops.record.guard import Check

__all__ = ["CommitOutcome", "commit_reports", "git_state"]

_JUNK = (".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints", "*.tmp", "*.swp", "*~")
_IS_JUNK = re.compile("|".join(fnmatch.translate(name) for name in _JUNK))
_ATTEMPTS = 10  # when somebody else commits at the same moment
_STEP_ASIDE = 0.05  # seconds, more with each attempt
_LOCK_SECONDS = 10.0
_LOCK_STEP = 0.1  # seconds between two attempts
_COMPRESSION = 9  # zlib's best
_TREES = 1  # zlib's fastest, for folders
_ENTRY = 36  # bytes of a folder's name and hash in a tree that is compressed
_BLOBS = 64  # files that are held in memory at once
_NO_OBJECT = re.compile(r"0+")
_BROKEN_FILTER = re.compile(r"filter '(?P<name>[^'\s]+)' failed")
_COMPRESSIONS = frozenset({"core.compression", "core.loosecompression", "pack.compression"})
_SETTINGS = (
    r"^(core\.compression|core\.loosecompression|pack\.compression"
    r"|core\.(splitindex|fsmonitor|untrackedcache|sparsecheckout)|feature\.manyfiles|index\..*)$"
)
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOutcome:
    """What became of a commit."""

    status: Literal["committed", "nothing", "no_repository", "unsafe_state", "failed"]
    commit: str | None = None
    message: str = ""
    """For people: what happened, and what to do when it did not work."""
    files: int = 0
    """Number of files that were added, changed or removed."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A file that the commit changes; ``object`` is None when it is removed."""

    path: str
    mode: str
    object: str | None


def commit_reports(
    root: Path,
    *,
    reports: str = "reports",
    files: Sequence[Path] | None = None,
    message: str,
    trailers: Mapping[str, str],
    check: Check,
    lock_seconds: float = _LOCK_SECONDS,
    recent: Recent | None = None,
    cleared: Mapping[str, str] | None = None,
) -> CommitOutcome:
    """Commit what is under ``reports/``; leave everything else of the repository alone.

    Args:
        root: The project's root; the repository may begin above it.
        reports: The folder to commit, relative to the root.
        files: Only these files (written or removed); everything under ``reports`` when None.
        message: Subject and body of the commit.
        trailers: Trailers of the message, such as ``Run``.
        check: Is given path (relative to the root) and content of each file that the commit adds or changes; raises to refuse.
        lock_seconds: How long to wait for another git process.
        recent: What is known of earlier commits, so that old runs that were committed need not be looked at.
        cleared: Files that were checked already, see :func:`nbops.record.guard.cleared`.

    Returns:
        What happened. Without git or repository, or in the middle of a merge, rebase or the like nothing is committed; the next
        call takes the files along.

    Raises:
        GuardError: What ``check`` raised; nothing was committed.
    """
    try:
        repository = open_repository(root)
    except NoGitError as error:
        return CommitOutcome(status="no_repository", message=f"Reports are not committed: {error}.")
    except GitError as error:
        return _no_repository(root, error)
    repository, plain = _as_set(repository)
    left = _Left()
    said = _full_message(message, trailers)
    job = _Job(repository, root, reports, files, said, check, lock_seconds, recent, plain, left, cleared or {})
    try:
        outcome = job.run()
    except GitError as error:
        return CommitOutcome(
            status="failed", message=f"Reports are not committed: {error}. The next run's commit takes them along."
        )
    if recent is not None and outcome.commit and outcome.status in {"committed", "nothing"}:
        recent.keep(outcome.commit, index=left.index)
        pack_later(root, recent.cache, commit=outcome.commit, files=outcome.files, size=left.size)
    return outcome


def _as_set(repository: Repository) -> tuple[Repository, bool]:
    """Have objects compressed as well as zlib can, a quarter smaller than git's default, unless the user chose otherwise.

    Beside it stands whether no settings ask for a special kind of index.
    """
    git = repository.git
    lines = (git.maybe("config", "--get-regexp", _SETTINGS) or "").splitlines()
    chosen = [line for line in lines if line.split(" ")[0] in _COMPRESSIONS]
    plain = all(line in chosen or line.endswith(" false") for line in lines)  # one of these is our own
    if chosen:
        return repository, plain
    settings = (f"core.looseCompression={_COMPRESSION}", f"pack.compression={_COMPRESSION}")
    return replace(repository, git=replace(git, settings=(*git.settings, *settings))), plain


def _no_repository(root: Path, error: GitError) -> CommitOutcome:
    if "not a git repository" in str(error) or "without a work tree" in str(error):
        text = f"Reports are not committed: {root.name or 'the project'} is in no git work tree. `git init` makes it one."
        return CommitOutcome(status="no_repository", message=text)
    return CommitOutcome(status="failed", message=f"Reports are not committed: {error}.")  # such as "dubious ownership"


def _full_message(message: str, trailers: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {' '.join(str(value).split())}" for name, value in trailers.items()]
    text = "\n\n".join([message.strip() or "nbops: reports", *(["\n".join(lines)] if lines else [])]) + "\n"
    return text.replace("\0", "").encode("utf-8", "replace")


@dataclass(slots=True)
class _Left:
    """What a commit leaves behind."""

    index: Sequence[int] | None = None
    """What tells the user's index, where it holds nothing but the commit."""
    size: int = 0
    """Bytes of the loose objects of its files, and about those of the tree that names all runs."""


@dataclass(frozen=True, slots=True)
class _Job:
    repository: Repository
    root: Path
    reports: str
    files: Sequence[Path] | None
    message: bytes
    check: Check
    lock_seconds: float
    recent: Recent | None
    plain: bool
    """Whether the user's index is of no special kind."""
    left: _Left
    cleared: Mapping[str, str]

    @property
    def _git(self) -> Git:
        return self.repository.git

    @property
    def _folder(self) -> str:
        """The folder to commit, relative to the top of the work tree."""
        return self.repository.prefix + Path(self.reports).as_posix()

    def run(self) -> CommitOutcome:
        if self.root.joinpath(self.reports).is_symlink():
            text = f"Reports are not committed: {self.reports} is a symbolic link. Make it a folder of the project."
            return CommitOutcome(status="failed", message=text)
        try:
            return self.insist()
        except GitError as error:
            broken = _BROKEN_FILTER.search(str(error))
            if broken is None:
                raise
            # a filter such as LFS is asked for and not installed: store the files as they are
            name = broken["name"]
            without = (f"filter.{name}.required=false", f"filter.{name}.clean=", f"filter.{name}.process=")
            return replace(self, repository=replace(self.repository, git=replace(self._git, settings=without))).insist()

    def insist(self) -> CommitOutcome:
        for number in range(_ATTEMPTS):
            outcome = self._unsafe() or self._attempt()
            if outcome is not None:
                return outcome
            time.sleep(random.uniform(0, number * _STEP_ASIDE))  # noqa: S311  (two that race should not stay in step)
        text = "Reports are not committed: the branch moved again and again. The next run's commit takes them along."
        return CommitOutcome(status="failed", message=text)

    def _unsafe(self) -> CommitOutcome | None:
        sweep_killed(self.repository)
        what = in_the_middle(self.repository)
        if what is None and not wait_for_index(self.repository, self.lock_seconds):
            what = "another git command (index.lock is there; remove it if none is running)"
        return None if what is None else self._in_the_middle_of(what)

    def _in_the_middle_of(self, what: str) -> CommitOutcome:
        text = f"Reports are not committed: the repository is in the middle of {what}. The next run's commit takes them along."
        return CommitOutcome(status="unsafe_state", message=text)

    def _attempt(self) -> CommitOutcome | None:
        """Make the commit; return None when the branch moved meanwhile."""
        head = self._head()
        with work_index(self.repository, plain=self.plain) as work:
            try:
                clean = self._is_as_left(work, head) or start_from(work, head)
            except ConflictsError:
                return self._in_the_middle_of("resolving conflicts")
            self._add(work.git, head)
            tree = _for_trees(work.git).line("write-tree")
            changes = _changes(work.git, head, tree)
            if not changes:
                self._refresh_index(tree, work if clean else None)
                return CommitOutcome(status="nothing", commit=head, message="Reports are unchanged; there is nothing to commit.")
            self.check(self._contents(work.git, changes))
            writer, commit, note = self._written(tree, head)
            if self._head() != head:
                return None
            index_note = self._refresh_index(tree, work if clean else None)
        self.left.size = self._loose(changes)
        if not self._move(writer, commit, head):
            self._refresh_index(self._git.line("rev-parse", "--verify", "HEAD^{tree}"))  # as it was
            return None
        text = f"Committed {len(changes)} file{'s' if len(changes) != 1 else ''} as {commit[:10]}.{note}{index_note}"
        return CommitOutcome(status="committed", commit=commit, message=text, files=len(changes))

    def _is_as_left(self, work: WorkIndex, head: str | None) -> bool:
        """Tell whether our index is a copy of what an earlier commit left, and that is HEAD still: then nothing differs."""
        return self.recent is not None and head is not None and self.recent.is_index_of(head, work.identity)

    def _written(self, tree: str, head: str | None) -> tuple[Git, str, str]:
        """Write the commit; return git as who commits, the commit, and a note when git does not know who that is."""
        arguments = ("commit-tree", "--no-gpg-sign", tree, *(("-p", head) if head else ()))
        sure = strict(self._git)
        with suppress(GitError):  # nearly always it does
            return sure, sure.call(*arguments, data=self.message).decode().strip(), ""
        who, note = identity_of(self._git)
        writer = replace(self._git, environment=who)
        return writer, writer.call(*arguments, data=self.message).decode().strip(), note

    def _loose(self, changes: Sequence[_Change]) -> int:
        """Return about how many bytes what was committed takes; what is in a pack takes none."""
        folder = self.repository.folder
        with suppress(OSError):  # a work tree beside the main one has its objects there
            folder = folder / (folder / "commondir").read_text(encoding="utf-8").strip()
        size = _ENTRY * len(run_folders(self.root / self.reports))
        for change in changes:
            with suppress(OSError):
                name = change.object or ""
                size += (folder / "objects" / name[:2] / name[2:]).stat().st_size if name else 0
        return size

    def _head(self) -> str | None:
        return self._git.maybe("rev-parse", "--quiet", "--verify", "HEAD^{commit}")

    def _add(self, git: Git, head: str | None) -> None:
        """Take what lies on disk into the index."""
        there = (self._git.folder / self._folder).exists()
        if not there and (head is None or not git.call("ls-files", "-z", "--", f":(top,literal){self._folder}")):
            return
        if self.files is not None:
            paths = self._named(git)
        else:
            paths, files = self._places(head)
            if head is not None and files and self.plain and take_in(git, head, paths, files):
                return
        if not paths:
            return
        wanted = [f":(top,literal){path}" for path in paths]
        # of files that are named git 2.39 takes those of folders for excluded by `**/*.tmp/**`
        names = _JUNK if paths == [self._folder] else ()
        junk = [f":(top,exclude,glob){_globbed(self._folder)}/**/{name}" for name in names]
        junk += [f":(top,exclude,glob){_globbed(self._folder)}/**/{name}/**" for name in names]
        data = b"\0".join(os.fsencode(item) for item in (*wanted, *junk))
        # git writes that file when it makes a work tree sparse, and leaves it there
        thinned = (self.repository.folder / "info/sparse-checkout").exists()
        sparse = ["--sparse"] if thinned and git.maybe("config", "--type=bool", "core.sparseCheckout") == "true" else []
        options = ["--all", "--force", *sparse, "--pathspec-from-file=-", "--pathspec-file-nul"]
        git.call("add", *options, data=data)

    def _places(self, head: str | None) -> tuple[list[str], list[str]]:
        """Return the folders and files below which something may have changed, relative to the top, and the files there.

        Where all has to be looked at, the files are not listed.
        """
        names = self.recent.places(self._git, head) if self.recent is not None else None
        there = [f"{self._folder}/{name}" for name in names or () if os.path.lexists(self._git.folder / self._folder / name)]
        files = files_below(self._git.folder, there, is_junk=_IS_JUNK.fullmatch) if there else None
        return (there, files) if files else ([self._folder], [])

    def _named(self, git: Git) -> list[str]:
        """Return the wanted files relative to the top, those that exist or did."""
        base = self.root.absolute()
        names = []
        for file in self.files or ():
            relative = os.path.relpath(base / file, base).replace(os.sep, "/")
            if relative.startswith(f"{Path(self.reports).as_posix()}/"):
                names.append(self.repository.prefix + relative)
        tracked = set(os.fsdecode(git.call("ls-files", "-z", "--", f":(top,literal){self._folder}")).split("\0"))
        return [name for name in names if name in tracked or os.path.lexists(self._git.folder / name)]

    def _contents(self, git: Git, changes: Sequence[_Change]) -> Iterator[tuple[str, bytes]]:
        wanted = [change for change in changes if change.object is not None and change.mode != "160000"]  # no submodules
        wanted = [one for one in wanted if self.cleared.get(one.path.removeprefix(self.repository.prefix)) != one.object]
        for at in range(0, len(wanted), _BLOBS):
            part = wanted[at : at + _BLOBS]
            for change, data in zip(part, _blobs(git, [change.object or "" for change in part]), strict=True):
                content = data
                if data.startswith(_LFS):  # the pointer is committed, the file itself is pushed
                    with suppress(OSError):
                        content = (self._git.folder / change.path).read_bytes()
                yield change.path.removeprefix(self.repository.prefix), content

    def _refresh_index(self, tree: str, work: WorkIndex | None = None) -> str:
        """Give the user's index the entries of ``tree`` under reports; return a note when that did not work.

        Args:
            tree: The tree.
            work: An index of our own that has these entries and all others of the user's, when there is one.
        """
        self.left.index = replaced_by(self.repository, work) if work is not None else None
        if self.left.index is not None:
            return ""
        folder = f":(top,literal){self._folder}"
        until = time.monotonic() + self.lock_seconds
        while True:
            try:
                self._write_entries(tree, folder)
            except GitError as error:  # noqa: PERF203  (it waits in between)
                if "index.lock" not in str(error) or time.monotonic() >= until:
                    return f" Your index could not be brought up to date ({error}): `git reset -q -- {self.reports}` does it."
                time.sleep(_LOCK_STEP)
            else:
                return ""

    def _write_entries(self, tree: str, folder: str) -> None:
        """Write those entries into the user's index that differ from ``tree``; all others keep every bit."""
        stale = self._git.call("diff-index", "--cached", "--raw", "-z", "--no-renames", "--full-index", "-R", tree, "--", folder)
        entries = [f"{change.mode} {change.object or '0' * len(tree)}\t{change.path}" for change in _parsed(stale)]
        if not entries:
            return
        self._git.call("update-index", "-z", "--index-info", data=b"".join(os.fsencode(entry) + b"\0" for entry in entries))
        with suppress(GitError):  # only saves the next `git status` some reading
            self._git.call("add", "--refresh", "--", folder)

    def _move(self, git: Git, commit: str, head: str | None) -> bool:
        """Move the branch from ``head`` to ``commit``; say False when somebody else moved it first."""
        subject = self.message.split(b"\n", 1)[0].decode("utf-8", "replace")
        until = time.monotonic() + self.lock_seconds
        while True:
            try:
                git.call("update-ref", "-m", f"commit (nbops): {subject}", "HEAD", commit, head or "")
            except GitError as error:  # noqa: PERF203  (it waits in between)
                if self._head() != head:
                    return False
                if ".lock" not in str(error) or time.monotonic() >= until:
                    raise
                time.sleep(_LOCK_STEP)
            else:
                return True


def _blobs(git: Git, objects: Sequence[str]) -> Iterator[bytes]:
    """Yield the content of some objects, format: https://git-scm.com/docs/git-cat-file#_batch_output."""
    printed = git.call("cat-file", "--batch", data="\n".join(objects).encode() + b"\n")
    at = 0
    for name in objects:
        end = printed.index(b"\n", at)
        about = printed[at:end].split(b" ")
        if len(about) != 3:  # noqa: PLR2004  (object, type, size; else "missing")
            raise GitError(f"object {name} cannot be read")
        size = int(about[2])
        yield printed[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _globbed(path: str) -> str:
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def _parsed(raw: bytes) -> list[_Change]:
    """Return the new side of ``git diff --raw -z``, format: https://git-scm.com/docs/git-diff-index#_raw_output_format."""
    fields = os.fsdecode(raw).split("\0")
    changes = []
    for about, path in zip(fields[0::2], fields[1::2], strict=False):
        _, mode, _, new, _ = about.split(" ")
        changes.append(_Change(path, mode, None if _NO_OBJECT.fullmatch(mode) else new))
    return changes


def _for_trees(git: Git) -> Git:
    """Return git that writes trees without pressing them hard, where it was us who asked for that.

    The names of objects do not get smaller, and zlib's best level takes 0.1 s to find that out of a folder of ten thousand runs.
    """
    hard = f"core.looseCompression={_COMPRESSION}" in git.settings
    return replace(git, settings=(*git.settings, f"core.looseCompression={_TREES}")) if hard else git


def _changes(git: Git, head: str | None, tree: str) -> list[_Change]:
    if head is not None:
        return _parsed(git.call("diff-tree", "-r", "--raw", "-z", "--no-renames", "--full-index", head, tree))
    staged = os.fsdecode(git.call("ls-files", "--stage", "-z")).split("\0")
    return [_Change(path, *about.split(" ")[:2]) for about, path in (entry.split("\t", 1) for entry in staged if entry)]
