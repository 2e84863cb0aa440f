"""Dataclasses made from kept code are the same; whatever happens to what is kept."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nbops.adapters import lean_classes

_CLASSES = """
    @dataclass(frozen=True, slots=True, kw_only=True, order=True)
    class Order:
        number: int
        lines: list[str] = field(default_factory=list, compare=False)
        note: str = ""

    @dataclass
    class Line:
        price: float
        count: InitVar[int] = 1
        def __post_init__(self, count):
            self.price *= count
"""
_BEGIN = """
    import sys
    compiled = []
    def watch(event, given):
        if event == "compile" and "__create_fn__" in str(given[0]):
            compiled.append(given)
    sys.addaudithook(watch)
    from nbops.adapters.lean_classes import make_classes_quickly
    make_classes_quickly()
    from dataclasses import InitVar, asdict, dataclass, field
"""
_TELL = """
    one, other = Order(number=1, lines=["a"]), Order(number=2)
    print(one, one == Order(number=1), one < other, hash(one) == hash(Order(number=1)), asdict(other), Line(2.0, count=3))
    print(Order.__init__.__qualname__, Order.__init__.__annotations__, Order.__doc__)
    for wrong in (lambda: setattr(one, "number", 2), lambda: Order(1), lambda: Order(number=1, wrong=2), lambda: Line()):
        try:
            wrong()
        except Exception as error:
            print(type(error).__name__, error)
    print(len(compiled), file=sys.stderr)
"""


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def run(cache: Path, *parts: str, **more: str) -> tuple[str, str]:
    """Run a program that makes classes; return what it printed about them, and what else."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    code = "".join(textwrap.dedent(part) for part in parts)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "XDG_CACHE_HOME": str(cache), **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def kept_in(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def as_ever(cache: Path) -> str:
    out, compiled = run(cache, _BEGIN, _CLASSES, _TELL, PYTHONDONTWRITEBYTECODE="1")
    assert int(compiled) > 10
    assert kept_in(cache) == []
    return out


def test_the_second_time_nothing_is_compiled_and_all_is_the_same(cache):
    expected = as_ever(cache)
    first, compiled = run(cache, _BEGIN, _CLASSES, _TELL)
    assert first == expected
    assert int(compiled) > 10
    [file] = kept_in(cache)
    assert file.parent.stat().st_mode & 0o077 == 0
    before = file.stat().st_mtime_ns
    second, compiled = run(cache, _BEGIN, _CLASSES, _TELL)
    assert second == expected
    assert int(compiled) == 0
    assert file.stat().st_mtime_ns == before  # there was nothing to add


@pytest.mark.parametrize("spoil", ["cut", "flipped", "empty", "something else", "a folder", "no sum"])
def test_what_is_damaged_is_made_anew(cache, spoil):
    expected = as_ever(cache)
    run(cache, _BEGIN, _CLASSES, _TELL)
    [file] = kept_in(cache)
    data = file.read_bytes()
    if spoil == "a folder":
        file.unlink()
        file.mkdir()
    else:
        middle = len(data) // 2
        file.write_bytes(
            {
                "cut": data[:middle],
                "flipped": data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :],
                "empty": b"",
                "something else": b"<html>",
                "no sum": data[4:],
            }[spoil]
        )
    out, compiled = run(cache, _BEGIN, _CLASSES, _TELL)
    assert out == expected
    assert int(compiled) > 10
    if spoil != "a folder":
        assert run(cache, _BEGIN, _CLASSES, _TELL)[1].strip() == "0"


def test_code_that_others_could_have_written_is_not_run(cache):
    expected = as_ever(cache)
    run(cache, _BEGIN, _CLASSES, _TELL)
    [file] = kept_in(cache)
    file.parent.chmod(0o777)
    out, compiled = run(cache, _BEGIN, _CLASSES, _TELL)
    assert out == expected
    assert int(compiled) > 10


def test_another_class_is_added_to_what_is_kept(cache):
    run(cache, _BEGIN, _CLASSES, _TELL)
    run(cache, _BEGIN, "@dataclass\nclass Other:\n    x: int\nprint(Other(1))\n")
    assert run(cache, _BEGIN, _CLASSES, _TELL)[1].strip() == "0"


def test_with_too_many_only_those_in_use_stay(cache):
    run(cache, _BEGIN, _CLASSES, _TELL)
    few = "import nbops.adapters.lean_classes as q\nq._AT_MOST = 3\n"
    run(cache, _BEGIN, few, "@dataclass\nclass Other:\n    x: int\nprint(Other(1))\n")
    [file] = kept_in(cache)
    assert len(lean_classes._read(file)) < 10
    assert run(cache, _BEGIN, _CLASSES, _TELL)[0] == as_ever(cache.with_name("other"))


def test_a_forked_process_leaves_writing_to_the_other(cache):
    code = """
        import os
        if os.fork() == 0:
            {classes}
            import atexit
            atexit._run_exitfuncs()
            os._exit(0)
        os.wait()
        os._exit(0)
    """.format(classes="dataclass(type('Late', (), {'__annotations__': {'x': int}}))")
    run(cache, _BEGIN, code)
    assert kept_in(cache) == []


def test_a_full_disk_costs_only_time(cache):
    full = """
        import nbops.adapters.lean_classes as q
        def no_room(path, codes):
            raise OSError(28, "No space left on device")
        q._write = no_room
    """
    assert run(cache, _BEGIN, full, _CLASSES, _TELL)[0] == as_ever(cache.with_name("other"))
    assert kept_in(cache) == []


def test_what_is_no_text_is_run_as_it_is():
    kept = lean_classes._Kept(Path("nowhere"))
    names: dict[str, object] = {}
    kept.exec(compile("x = 1", "<string>", "exec"), names)
    assert names["x"] == 1


def test_without_names_it_sees_those_of_dataclasses():
    kept = lean_classes._Kept(Path("nowhere"))
    names: dict[str, object] = {}
    kept.exec("x = MISSING", None, names)
    assert names["x"] is dataclasses.MISSING
