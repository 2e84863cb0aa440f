"""How the profiling process starts itself again, with the whole profiler, without losing a question."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, NoReturn

__all__ = ["WHOLE", "Questions", "start_again"]

WHOLE = "NBOPS_PROFILE_WHOLE"
"""Environment variable that says that nothing is to be left out of the import; its value may be a descriptor to read first."""
_CHUNK = 262_144


class Questions:
    """Lines of a descriptor, read no further than needed.

    Args:
        descriptor: Where they come from.
        head: What was read from there before.
    """

    def __init__(self, descriptor: int, head: bytes = b"") -> None:
        self._descriptor = descriptor
        self.rest = head
        """What was read and not given out."""

    @classmethod
    def resumed(cls, descriptor: int) -> Questions:
        """Return the questions of a process that may have been started again by itself."""
        handed = os.environ.get(WHOLE, "")
        if not handed.isdecimal():
            return cls(descriptor)
        with os.fdopen(int(handed), "rb") as file:
            return cls(descriptor, file.read())

    def __iter__(self) -> Iterator[bytes]:
        while True:
            line, newline, rest = self.rest.partition(b"\n")
            if newline:
                self.rest = rest
                yield line
            elif chunk := os.read(self._descriptor, _CHUNK):
                self.rest += chunk
            else:
                return


def start_again(module: str, questions: Questions, answers: IO[str], *, question: bytes | None = None) -> NoReturn:
    """Replace this process by one that imports the whole profiler.

    The process keeps its number, parent, priority and pipes.

    Args:
        module: What to run.
        questions: What to go on with.
        answers: Becomes its standard output.
        question: What to begin with.
    """
    answers.flush()
    with tempfile.TemporaryFile() as file:
        file.write((question + b"\n" if question is not None else b"") + questions.rest)
        file.flush()
        file.seek(0)
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003  # takes no keywords
        os.dup2(answers.fileno(), 1)
        environment = {**os.environ, WHOLE: str(file.fileno())}
        os.execve(sys.executable, [sys.executable, "-W", "ignore", "-m", module], environment)  # noqa: S606  # no shell is wanted
