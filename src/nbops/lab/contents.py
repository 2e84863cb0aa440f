"""JupyterLab's way to the files: jupytext's asynchronous contents manager, with the pipeline's parameters shown on open.

Why it exists: jupytext derives an asynchronous manager and Ploomber's server extension wraps it synchronously, so that every
``/api/contents`` call answers 500. The wheel's drop-in turns Ploomber's extension off and this one on. What Ploomber's did is
done here without importing Ploomber (about ten CPU seconds), and without its fault that any save makes finished work stale.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nbops.adapters.pipeline_yaml import FileTask, PipelineFile, injected_values
from nbops.errors import NbopsError
from nbops.lab.injection import clean, inject, keep_header, parameters_cell
from nbops.lab.place import look_up, readable_pipelines

if TYPE_CHECKING:
    from logging import Logger

__all__ = ["derive", "install"]

_Answer = TypeVar("_Answer")
_PATIENCE_SECONDS = 10.0
"""How long opening a file waits for ``pipeline.yaml`` to be read, for example from a network drive that hangs."""


def install(app: Any) -> None:
    """Make the server use nbops' contents manager; called while the server is set up, before it makes one.

    Whatever goes wrong is logged and leaves the server's own manager in place: Lab opens files in any case.

    Args:
        app: The ``ServerApp``.
    """
    base = app.contents_manager_class
    if not asyncio.iscoroutinefunction(base.get) or not hasattr(base, "_get_os_path"):
        app.log.warning(
            "[nbops] %s is configured as contents manager: pipeline parameters are not shown in notebooks.", base.__name__
        )
        return
    try:
        app.contents_manager_class = derive(_with_jupytext(base, app.log))
    except Exception as error:  # noqa: BLE001 - an unknown release of Jupyter must not keep Lab from opening
        app.log.warning("[nbops] pipeline parameters are not shown in notebooks: %s: %s", type(error).__name__, error)
        return
    app.log.info("[nbops] notebooks of a pipeline show their parameters, upstream and product.")


def _with_jupytext(base: Any, log: Logger) -> Any:
    if hasattr(base, "formats"):
        return base  # jupytext's own, or derived from it
    try:
        from jupytext.async_contentsmanager import build_async_jupytext_contents_manager_class  # noqa: PLC0415
    except ImportError as error:
        log.warning("[nbops] jupytext 1.17 or newer is missing, so .py files do not open as notebooks (%s).", error)
        return base
    return build_async_jupytext_contents_manager_class(base)


def derive(base: Any) -> type[Any]:
    """Return a contents manager that adds the pipeline's parameters to ``base``.

    Args:
        base: An asynchronous, file-based contents manager class.
    """

    class NbopsContentsManager(_PipelineNotebooks, base):  # type: ignore[misc]
        """Shows a pipeline's parameters in its notebooks, and saves them clean."""

    return NbopsContentsManager


_Mixin: Any = object


class _PipelineNotebooks(_Mixin):  # type: ignore[misc]
    """Stands before an asynchronous, file-based contents manager and sees notebooks on their way out and in."""

    load_dag = None
    """Ploomber's server extension looks for this name and, finding it, leaves the manager alone."""

    @cached_property
    def _without_language(self) -> set[str]:
        """Notebooks whose files do not say their language, so that they are saved without what was said here."""
        return set()

    async def get(
        self,
        path: str,
        content: bool = True,  # noqa: FBT001, FBT002 - the contents API's signature
        type: str | None = None,  # noqa: A002
        format: str | None = None,  # noqa: A002
        require_hash: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[str, Any]:
        extra = {"require_hash": True} if require_hash else {}
        model: dict[str, Any] = await super().get(path, content=content, type=type, format=format, **extra)
        if content and model.get("type") == "notebook" and isinstance(model.get("content"), dict):
            await self._show_parameters(path, model["content"])
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        if model.get("type") == "notebook" and isinstance(model.get("content"), dict):
            place = await self._place(path)
            root, file = place[0].root if place else None, Path(self._get_os_path(path))
            try:
                content = await asyncio.to_thread(_fit_to_save, model["content"], root, file)
                if path.strip("/") in self._without_language:
                    content["metadata"] = {
                        key: value for key, value in content.get("metadata", {}).items() if key != "language_info"
                    }
                model = {**model, "content": content}
            except Exception as error:  # noqa: BLE001 - a notebook that is no notebook is still the user's work
                self.log.warning("[nbops] %s is saved as it is, not cleaned: %r", path, error)
        return await super().save(model, path)

    async def get_kernel_path(self, path: str, model: dict[str, Any] | None = None) -> Any:
        # Builds run notebooks in the project's root; so do kernels here, or relative paths would mean something else. It goes by
        # folder because Lab asks before it says which notebook a kernel is for: the path ends in a random name.
        folder = await self._ask(path, self._folder_for_kernels, Path(self._get_os_path(path)).parent)
        inside = None if folder is None else _api_path(folder, Path(self.root_dir))
        return await super().get_kernel_path(path, model) if inside is None else inside

    def _folder_for_kernels(self, folder: Path) -> Path:
        """Return where kernels of the notebooks in a folder run."""
        for pipeline in readable_pipelines(folder):
            if _tasks_in(pipeline, folder):
                return _kernel_folder(pipeline, folder, served=Path(self.root_dir))
        return folder

    async def _place(self, path: str) -> tuple[PipelineFile, FileTask] | None:
        """Return the pipeline and task of a notebook; None when it has none, or when that cannot be known."""
        return await self._ask(path, look_up, Path(self._get_os_path(path)))

    async def _ask(self, path: str, question: Callable[[Path], _Answer | None], about: Path) -> _Answer | None:
        """Read the pipeline in a thread, for a bounded time; a broken one must never keep a file from being opened or saved."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(question, about), _PATIENCE_SECONDS)
        except Exception as error:  # noqa: BLE001 - see above
            self.log.warning(
                "[nbops] %s: its pipeline is not known: %s", path, error if isinstance(error, NbopsError) else repr(error)
            )
        return None

    async def _show_parameters(self, path: str, notebook: dict[str, Any]) -> None:
        place = await self._place(path)
        if place is None:
            return
        try:
            told = await asyncio.wait_for(asyncio.to_thread(_show, notebook, *place, Path(self.root_dir)), _PATIENCE_SECONDS)
            (self._without_language.add if told else self._without_language.discard)(path.strip("/"))
        except Exception as error:  # noqa: BLE001 - likewise
            self.log.warning("[nbops] %s: its pipeline's parameters are not shown: %s", path, error or type(error).__name__)


def _show(notebook: dict[str, Any], pipeline: PipelineFile, task: FileTask, served: Path) -> bool:
    """Fill in what the pipeline gives, and tell whether the language was not in the file."""
    folder = pipeline.root if task.source is None else task.source.parent
    base = _kernel_folder(pipeline, folder, served=served)
    values = injected_values(pipeline, task, parameters_cell=parameters_cell(notebook), base=base)
    inject(notebook, values, language=_language(notebook))
    _choose_kernel(notebook)
    return _tell_language(notebook)


def _fit_to_save(notebook: dict[str, Any], root: Path | None, file: Path) -> dict[str, Any]:
    cleaned = clean(notebook, root=root)
    if root is None or file.suffix == ".ipynb" or not file.is_file():
        return cleaned
    return keep_header(cleaned, saved=file.read_text(encoding="utf-8", errors="replace"))


def _kernel_folder(pipeline: PipelineFile, folder: Path, *, served: Path) -> Path:
    """Return where kernels of a folder's notebooks run: as in builds, as far as the server serves that folder."""
    tasks = _tasks_in(pipeline, folder)
    if not tasks or any(task.local_execution for task in tasks) or _api_path(pipeline.root, served) is None:
        return folder
    return pipeline.root


def _tasks_in(pipeline: PipelineFile, folder: Path) -> list[FileTask]:
    return [task for task in pipeline.tasks if task.source is not None and task.source.parent == folder.resolve()]


def _choose_kernel(notebook: dict[str, Any]) -> None:
    """Name a kernel in a text notebook that cannot: its file has no header, so Lab would ask for one at each opening."""
    metadata = notebook["metadata"]
    if "kernelspec" in metadata or metadata.get("jupytext", {}).get("notebook_metadata_filter") != "-all":
        return
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager  # noqa: PLC0415 - the server has it loaded

    manager, language = KernelSpecManager(), _language(notebook).lower()
    names = [NATIVE_KERNEL_NAME, *sorted(manager.find_kernel_specs())]  # the server's own Python first
    for name in names:
        with suppress(KeyError):  # NoSuchKernel: then Lab asks
            spec = manager.get_kernel_spec(name)
            if str(spec.language).lower() == language:
                metadata["kernelspec"] = {"name": name, "display_name": spec.display_name, "language": language}
                return


def _tell_language(notebook: dict[str, Any]) -> bool:
    """Say of which language the kernel is, where the file does not.

    JupyterLab writes it into what is open as soon as the kernel has started, and would show a notebook as changed that nobody
    touched. It is known of the server's own Python. Returns whether it was said, so that the notebook is saved without it.
    """
    metadata = notebook["metadata"]
    name = metadata.get("kernelspec", {}).get("name")
    if "language_info" in metadata or not name:
        return False
    from jupyter_client.kernelspec import KernelSpecManager  # noqa: PLC0415 - the server has it loaded

    with suppress(KeyError):  # NoSuchKernel
        spec = KernelSpecManager().get_kernel_spec(name)
        major, minor = sys.version_info[:2]
        own = {
            "python",
            f"python{major}",
            f"python{major}.{minor}",
            sys.executable,
        }  # jupyter_client takes all of them for its own
        if spec.argv[:1] and spec.argv[0] in own and spec.argv[1:3] == ["-m", "ipykernel_launcher"]:
            metadata["language_info"] = {
                "codemirror_mode": {"name": "ipython", "version": major},
                "file_extension": ".py",
                "mimetype": "text/x-python",
                "name": "python",
                "nbconvert_exporter": "python",
                "pygments_lexer": f"ipython{major}",
                "version": sys.version.split(maxsplit=1)[0],
            }
            return True
    return False


def _api_path(folder: Path, server_root: Path) -> str | None:
    """Return a folder's path as the contents API names it; None when it is outside of what the server serves."""
    try:
        inside = folder.resolve().relative_to(server_root.resolve()).as_posix()
    except ValueError:
        return None
    return "" if inside == "." else inside


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata", {})
    return str(
        metadata.get("kernelspec", {}).get("language")
        or metadata.get("language_info", {}).get("name")
        or metadata.get("jupytext", {}).get("main_language")
        or "python"
    )
