"""The pipeline built again in a folder of its own: the code of one run, the inputs and parameters of another.

Nothing of the project is touched: the code is written out of git by an index of its own (no work tree is registered), the build
runs there without a repository, and what it makes is measured and thrown away.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import PipelineError
from nbops.history.causes.candidates import recipe_of
from nbops.quality.hashing import file_hash
from nbops.record.git import Git, GitError
from nbops.record.repository import Repository, open_repository
from nbops.record.store import read_run, run_ids
from nbops.workflow.hashing import HashCache

if TYPE_CHECKING:
    from nbops.contract.config import Config
    from nbops.model import Run

__all__ = ["Inputs", "Rebuilt", "inputs_of", "rebuild"]

_SECONDS = 3_600.0
_SAID = 1_500
_OUTSIDE = re.compile(r"^\[+\s*tool\.nbops\.(alerts|metrics|exporters|openlineage|monitoring)\b")
_TABLE = re.compile(r"^\[")
_LEFT_OUT = ("OPENLINEAGE_", "NBOPS_", "GIT_")
_MASKS = ("•••", "***")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a run worked on."""

    run: Run
    files: Mapping[str, str] = field(default_factory=dict)
    """Path relative to the project to content hash."""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came of a build elsewhere."""

    run: Run
    notes: tuple[str, ...] = ()
    """Sentences about what was not as it was then."""


def inputs_of(run: Run) -> Inputs:
    """Return the inputs of a run: files by their hashes, and parameters."""
    files: dict[str, str] = {}
    for task in run.tasks:
        recipe = recipe_of(task)
        for part in ("observed", "files"):
            files.update(
                {str(path): str(value) for path, value in (recipe.get(part) or {}).items() if value not in {None, "missing"}}
            )
    made = {path for task in run.tasks for path in task.products.values()}
    return Inputs(
        run=run, files={path: value for path, value in files.items() if path not in made}, parameters=dict(run.parameters)
    )


def rebuild(
    root: Path,
    config: Config,
    *,
    code: Run | str,
    inputs: Inputs,
    task: str | None = None,
    seconds: float = _SECONDS,
) -> Rebuilt:
    """Build the code of a run, or of a commit, on the inputs and parameters of a run.

    Args:
        root: The project's root.
        config: The project's settings.
        code: The run whose commit is built, or the commit.
        inputs: What it is built on.
        task: Build up to and including this task only.
        seconds: Time limit.

    Raises:
        PipelineError: There is no repository or commit, the bytes of an input are not to be had, or nothing came of it.
    """
    commit = _commit_of(code)
    repository = _repository(root)
    _no_outside(inputs.run)
    with _tree(repository, commit, root) as tree:
        notes = [*_placed(root, tree, repository, inputs), *_dirty(code)]
        _quiet(tree)
        arguments = [*(["--partially", task] if task is not None else []), *_environment(tree, inputs)]
        said = _build(tree, arguments, seconds=seconds)
        ids = run_ids(tree / config.reports)
        if not ids:
            raise PipelineError(
                f"commit {commit[:10]}: the build in a folder of its own made no run. It said: {said[-_SAID:].strip()}"
            )
        run = read_run(tree / config.reports, ids[-1])
        return Rebuilt(run=replace(run, git=None), notes=tuple(notes))


def _commit_of(code: Run | str) -> str:
    if isinstance(code, str):
        return code
    if code.git is None or code.git.commit is None:
        raise PipelineError(f"run {code.id}: it was built outside of git, so its code cannot be built again.")
    return code.git.commit


def _dirty(code: Run | str) -> list[str]:
    if isinstance(code, str) or code.git is None or not code.git.dirty:
        return []
    return [f"run {code.id} was built with {code.git.changed_files} uncommitted changes, which are not in this"]


def _repository(root: Path) -> Repository:
    try:
        return open_repository(root)
    except GitError as error:
        raise PipelineError(f"code is built again from git, and the project has none: {error}") from error


def _no_outside(run: Run) -> None:
    """Refuse where products are not files of the project: a build elsewhere would overwrite them."""
    bad = [path for task in run.tasks for path in task.products.values() if Path(path).is_absolute() or path.startswith("..")]
    bad += [item.path for item in run.datasets if item.format == "relation"]
    if bad:
        raise PipelineError(
            f"{bad[0]}: is outside of the project, and a build elsewhere would overwrite it. Only pipelines whose products "
            "lie in the project can be built again."
        )


@contextmanager
def _tree(repository: Repository, commit: str, root: Path) -> Iterator[Path]:
    """Write the project of a commit into a folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="nbops-replay-", ignore_cleanup_errors=True) as folder:
        base = Path(folder).resolve()
        own = Git(folder=repository.git.folder, environment={"GIT_INDEX_FILE": str(base / "index")})
        try:
            own.call("read-tree", f"{commit}^{{commit}}")
            own.call("checkout-index", "--all", "--force", f"--prefix={base}/tree/")
        except GitError as error:
            raise PipelineError(f"commit {commit[:10]}: its files cannot be written out: {error}") from error
        tree = base / "tree" / repository.prefix
        if not (tree / "pipeline.yaml").is_file():
            raise PipelineError(f"commit {commit[:10]}: it holds no pipeline.yaml in {repository.prefix or 'its top folder'}.")
        reports = tree / "reports"
        if reports.is_dir():
            shutil.rmtree(reports)
        with _venv(root, tree):
            yield tree


@contextmanager
def _venv(root: Path, tree: Path) -> Iterator[None]:
    """Give the build what is not in git and no input: nothing but the key that secret parameters are hashed with."""
    key = root / ".nbops/key"
    if key.is_file():
        (tree / ".nbops").mkdir(exist_ok=True)
        shutil.copyfile(key, tree / ".nbops/key")
    yield


def _placed(root: Path, tree: Path, repository: Repository, inputs: Inputs) -> Iterator[str]:
    """Put every input where the code looks for it, with the bytes that the run read."""
    hashes = HashCache(root / ".nbops/cache/hashes.json")
    commit = inputs.run.git.commit if inputs.run.git else None
    for name, wanted in sorted(inputs.files.items()):
        target = tree / name
        if Path(name).is_absolute():
            if hashes.of(Path(name)) != wanted:
                yield f"{name} is not what run {inputs.run.id} read; it is read as it is now"
            continue
        if target.is_file() and file_hash(target) == wanted:
            continue
        source = root / name
        if source.is_dir():
            if hashes.of(source) != wanted:
                raise PipelineError(_lost(name, inputs))
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_file() and file_hash(source) == wanted:
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
            continue
        found = _from_git(repository, commit, name)
        if found is None:
            raise PipelineError(_lost(name, inputs))
        target.unlink(missing_ok=True)
        target.write_bytes(found)
        if file_hash(target) != wanted:
            raise PipelineError(_lost(name, inputs))


def _from_git(repository: Repository, commit: str | None, name: str) -> bytes | None:
    if commit is None:
        return None
    try:
        return repository.git.call("cat-file", "blob", f"{commit}:{repository.prefix}{name}")
    except GitError:
        return None


def _lost(name: str, inputs: Inputs) -> str:
    return (
        f"{name}: what run {inputs.run.id} read of it is not to be had any more: it is not in git, and what is on the disk is "
        "another. Put the old file there, or ask about a run whose inputs are still here."
    )


def _quiet(tree: Path) -> None:
    """Take out of the settings what tells other systems of a run: this one is nobody's business."""
    path = tree / "pyproject.toml"
    if not path.is_file():
        return
    kept: list[str] = []
    skipped = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if _TABLE.match(line):
            skipped = bool(_OUTSIDE.match(line))
        if not skipped:
            kept.append(line)
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")


def _environment(tree: Path, inputs: Inputs) -> list[str]:
    """Return the options that give the run's parameters, where the code has these."""
    from nbops.adapters.pipeline_env import load_yaml  # noqa: PLC0415 - of use here only

    path = tree / "env.yaml"
    known = load_yaml(path) if path.is_file() else {}
    known = known if isinstance(known, dict) else {}
    found: list[str] = []
    for name, value in inputs.parameters.items():
        if name not in known or known[name] == value or not isinstance(value, str | int | float) or isinstance(value, bool):
            continue
        if isinstance(value, str) and any(mask in value for mask in _MASKS):
            continue
        found += [f"--env--{name}", str(value)]
    return found


def _build(tree: Path, arguments: Sequence[str], *, seconds: float) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    environment = {**kept, "PYTHONDONTWRITEBYTECODE": "1", "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    program = Path(sys.executable).with_name("nbops")
    start = (
        [str(program)] if program.is_file() else [sys.executable, "-c", "from nbops.cli import main; raise SystemExit(main())"]
    )
    command = [*start, "build", *arguments]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PipelineError(f"the build in a folder of its own took more than {seconds:g} s and was stopped.") from error
    return f"{done.stdout}\n{done.stderr}"
