"""What a task depends on, as hashes: code, parameters, upstream data, files, the project's modules, packages."""

from __future__ import annotations

import glob
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.workflow.code import resolve_modules
from nbops.workflow.codefacts import CodeFacts, Facts
from nbops.workflow.hashing import HashCache, digest
from nbops.workflow.packages import PackageIndex

if TYPE_CHECKING:
    from nbops.contract.config import Config
    from nbops.pipeline import Product, TaskSpec
    from nbops.workflow.code import Imported

__all__ = ["Fingerprinter", "is_file_product", "strings_of"]

_GLOB = re.compile(r"[*?\[]")
_SECRET_PARAMETER = re.compile(r"pass(word|wd)?|secret|token|key|credential|auth|dsn", re.IGNORECASE)
_KEY_BYTES = 32


def is_file_product(product: Product) -> bool:
    """Return whether the product is a file (or folder) that nbops can stage and publish."""
    return product.kind in {"file", "notebook"}


class Fingerprinter:
    """Computes task fingerprints for one build.

    Args:
        root: The project's root; also the working directory of the build.
        tasks: All tasks of the build, in topological order.
        config: The project's settings.
        hashes: File hashes.
    """

    def __init__(self, *, root: Path, tasks: tuple[TaskSpec, ...], config: Config, hashes: HashCache) -> None:
        self._root = root
        self._config = config
        self._hashes = hashes
        self._tasks = {task.name: task for task in tasks}
        self._facts = CodeFacts(root / ".nbops/cache/code.json")
        self._packages = PackageIndex(root / ".nbops/cache/packages.json", root=root)
        self._product_owner = {
            (root / product.path).resolve(): task.name for task in tasks for product in task.products if is_file_product(product)
        }
        self._key: bytes | None = None

    def recipe(self, task: TaskSpec) -> dict[str, Any]:
        """Return what the task depends on, apart from upstream data."""
        facts = self._code_of(task)
        modules, outside = self._reached(task, facts)
        return {
            "code": facts.code,
            "parameters": {name: self._parameter_hash(name, value) for name, value in sorted(task.parameters.items())},
            "files": dict(sorted(self._files_of(task, facts.literals))),
            "modules": {
                self._relative(path): value
                for path, value in sorted(modules.items())
                if path != task.source and self._inside(path) and "site-packages" not in path.parts
            },
            "packages": self._packages.of(outside),
            "products": {product.key: product.path for product in task.products},
        }

    def imports(self, task: TaskSpec) -> tuple[tuple[Imported, ...], set[str]]:
        """Return the imports in the task's own code, and the top-level names that it imports from outside the project."""
        facts = self._code_of(task)
        return facts.imports, self._reached(task, facts)[1]

    def outputs(self, task: TaskSpec) -> dict[str, str | None]:
        """Return the hash of each file product as it is on disk now; None where it is missing."""
        return {p.key: self._hashes.of(self._root / p.path) for p in task.products if is_file_product(p)}

    def contents(
        self, task: TaskSpec, *, recipe: Mapping[str, Any], outputs: Mapping[str, str | None], run_id: str
    ) -> dict[str, str]:
        """Return what each product means to tasks downstream.

        Data is its bytes. An executed notebook holds times and paths, so it means what it was made from; a relation cannot be
        hashed cheaply, so each run of its task counts as a change.
        """
        made_from = digest("recipe", json.dumps(recipe, sort_keys=True, default=str))
        found: dict[str, str] = {}
        for product in task.products:
            if product.kind == "notebook":
                found[product.key] = made_from
            elif product.kind == "relation":
                found[product.key] = run_id
            else:
                found[product.key] = outputs.get(product.key) or "missing"
        return found

    def undeclared(self, task: TaskSpec, paths: Iterable[str], *, known: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
        """Yield the name and path of each file among ``paths`` on which the task depends and which its recipe does not hold.

        Args:
            task: The task.
            paths: Absolute paths that it read.
            known: The files of its recipe.
        """
        for text in paths:
            try:
                path = Path(text).resolve()
                if not path.is_file() or path == task.source or self._excluded(path, task) or self._is_given(path, task):
                    continue
            except (OSError, ValueError, RuntimeError):
                continue
            name = self._relative(path) if self._inside(path) else text
            if name not in known:
                yield name, path

    def owner_of(self, path: str) -> str | None:
        """Return the task that makes a file."""
        try:
            return self._product_owner.get(Path(path).resolve())
        except (OSError, ValueError, RuntimeError):
            return None

    def path_of(self, name: str) -> str:
        """Return the absolute path of a file that records name."""
        return str(self._root / name)

    def name_of(self, path: str) -> str:
        """Return a file's name in records: relative to the project where it lies in it."""
        return self._relative(Path(path).resolve())

    def hashes_of(self, names: Iterable[str]) -> dict[str, str | None]:
        """Return the hash of each file now, None where it is gone."""
        return {name: self._hashes.of(self._root / name) for name in names}

    def _is_given(self, path: Path, task: TaskSpec) -> bool:
        owner = self._product_owner.get(path)
        return owner is not None and owner in task.upstream

    def save(self) -> None:
        """Remember what was found of code for the next build; a failure is of no consequence."""
        self._facts.save()

    def _code_of(self, task: TaskSpec) -> Facts:
        if task.function and task.source is not None:
            try:
                found = self._facts.function(task.source.read_text(encoding="utf-8"), task.function)
            except (OSError, UnicodeDecodeError):
                found = None
            if found is not None:
                return found
        return self._facts.cells(task.code, language=task.language)

    def _reached(self, task: TaskSpec, facts: Facts) -> tuple[dict[Path, str], set[str]]:
        """Return the project's modules that the task imports, with their hashes, and the names from outside of the project."""
        if task.language != "python":
            return {}, set()
        search = [self._root, self._root / "src", *([task.source.parent] if task.source else [])]
        return resolve_modules(facts.imports, near=task.source, search=search, facts=self._module)

    def _module(self, text: str) -> tuple[str, tuple[Imported, ...]]:
        facts = self._facts.module(text)
        return facts.code, facts.imports

    def _parameter_hash(self, name: str, value: Any) -> str:
        text = json.dumps(value, sort_keys=True, default=str)
        if not _SECRET_PARAMETER.search(name):
            return digest(text)[:16]
        # a plain hash of a short password can be guessed from the committed ledger; a keyed one cannot
        return "keyed-" + hmac.new(self._local_key(), text.encode(), "sha256").hexdigest()[:16]

    def _local_key(self) -> bytes:
        if self._key is None:
            path = self._root / ".nbops/key"
            try:
                self._key = path.read_bytes()
            except OSError:
                self._key = secrets.token_bytes(_KEY_BYTES)
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(self._key)
                    path.chmod(0o600)
                except OSError:
                    pass  # the task reruns in the next build: safe
        return self._key

    def _files_of(self, task: TaskSpec, literals: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Yield input files: declared in the settings, given as parameters, or named in the code."""
        for pattern in self._config.for_task(task.name).inputs:
            paths = sorted(self._glob(pattern))
            if not paths:
                yield pattern, "missing"
            for path in paths:
                yield from self._hashed(path, task, folders=True)
        for text in strings_of(task.parameters):
            yield from self._hashed(text, task, folders=True)
        for text in literals:
            if _GLOB.search(text) and "/" in text:
                for path in sorted(self._glob(text)):
                    yield from self._hashed(path, task, folders=False)
            else:
                yield from self._hashed(text, task, folders=False)
                if task.source is not None and not Path(text).is_absolute():
                    yield from self._hashed(str(task.source.parent / text), task, folders=False)

    def _glob(self, pattern: str) -> list[str]:
        # Path.glob refuses absolute patterns, which parameters and code may hold
        return glob.glob(str(self._root / pattern), recursive=True)  # noqa: PTH207

    def _hashed(self, text: str, task: TaskSpec, *, folders: bool) -> Iterator[tuple[str, str]]:
        if not text or "\0" in text or "://" in text:
            return
        try:
            path = (self._root / text).resolve()
            known = path.is_file() or (folders and path.is_dir())
        except (OSError, ValueError, RuntimeError):
            return
        if not known or path == task.source or self._excluded(path, task):
            return
        value = self._hashes.of(path)
        if value is not None:
            yield (self._relative(path) if self._inside(path) else text), value

    def _excluded(self, path: Path, task: TaskSpec) -> bool:
        owner = self._product_owner.get(path)
        if owner is not None:
            # a product that is read without being declared counts when its task comes first anyway
            return owner == task.name or owner not in self._ancestors(task)
        if path.parts[1:2] in {("proc",), ("sys",), ("dev",)}:
            return True  # no files: they differ with each look
        for own in (".nbops", self._config.reports, self._config.quarantine, ".git"):
            if path == self._root / own or (self._root / own) in path.parents:
                return True
        if path.is_dir():
            return (
                path == self._root
                or path in self._root.parents
                or any(path in product.parents for product in self._product_owner)
            )
        return False

    def _ancestors(self, task: TaskSpec) -> set[str]:
        found: set[str] = set()
        queue = list(task.upstream)
        while queue:
            name = queue.pop()
            if name not in found and name in self._tasks:
                found.add(name)
                queue += self._tasks[name].upstream
        return found

    def _inside(self, path: Path) -> bool:
        return self._root in path.parents

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if self._inside(path) else path.as_posix()


def strings_of(value: Any) -> Iterable[str]:
    """Yield every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings_of(inner)
