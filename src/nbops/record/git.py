"""Running git: without a terminal, without hooks, in one language, within a time limit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Git", "GitError", "NoGitError"]

_SECONDS = 120.0
_SAID = 500  # characters of what git says that an error repeats
_KEPT = (  # of the GIT_ variables; the others come from a hook or an alias and point to that one's repository or index
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES", "GIT_DEFAULT_HASH"),
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
)
_SETTINGS = (
    "core.quotepath=off",
    f"core.hooksPath={os.devnull}",  # no hook runs, neither `post-index-change` nor `reference-transaction`
    "core.fsmonitor=false",
    "core.safecrlf=false",
    "i18n.commitEncoding=UTF-8",
    "advice.addEmbeddedRepo=false",
)


class GitError(Exception):
    """Git ended with an error; the message is its own."""


class NoGitError(GitError):
    """There is no git on this machine."""


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_")
        or name in _KEPT
        or name.startswith(("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LITERAL_PATHSPECS": "0",
        "GIT_EDITOR": "true",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """Git in one folder.

    Attributes:
        folder: Where it runs.
        settings: Further ``name=value`` settings for this run.
        environment: Further environment variables, such as ``GIT_INDEX_FILE``.
        seconds: Time limit of one call.
    """

    folder: Path
    settings: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = _SECONDS

    def call(self, *arguments: str, data: bytes = b"") -> bytes:
        """Run git and return what it printed.

        Args:
            arguments: The command and its arguments.
            data: What it reads on standard input.

        Raises:
            NoGitError: There is no git.
            GitError: It failed or took too long.
        """
        settings = [part for setting in (*_SETTINGS, *self.settings) for part in ("-c", setting)]
        command: Sequence[str] = ["git", *settings, *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                input=data,
                capture_output=True,
                env={**_environment(), **self.environment},
                timeout=self.seconds,
                check=False,
                start_new_session=True,  # what kills the build's process group must not stop git while it holds a lock
            )
        except FileNotFoundError as error:
            if self.folder.is_dir():
                raise NoGitError("git is not installed, or not on PATH") from error
            raise GitError(f"{self.folder} is not there") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"`git {arguments[0]}` took more than {self.seconds:g} seconds") from error
        except OSError as error:
            raise NoGitError(f"git cannot be started: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split()) or f"exit code {done.returncode}"
            raise GitError(f"`git {arguments[0]}`: {said[:_SAID]}")
        return done.stdout

    def line(self, *arguments: str) -> str:
        """Run git and return the one line that it printed.

        Raises:
            GitError: It failed or took too long.
        """
        return os.fsdecode(self.call(*arguments)).removesuffix("\n")

    def maybe(self, *arguments: str) -> str | None:
        """Run git and return the one line that it printed, None when it failed.

        Raises:
            NoGitError: There is no git.
        """
        try:
            return self.line(*arguments)
        except NoGitError:
            raise
        except GitError:
            return None
