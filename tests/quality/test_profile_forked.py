"""The profiler forked where kernels are: the same bytes as from one that was started anew, and one of those when it is gone."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import psutil
import pytest
from tests.profile_tools import cases, ended

from nbops import kernels
from nbops.contract.config import Config
from nbops.quality.profile import FORKED, Profiler, ProfileRequest, profile_many

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs a handle on a process that is no child")

MEDDLER = """
import os
import matplotlib, numpy, pandas
matplotlib.use("svg")
import matplotlib.pyplot
matplotlib.pyplot.style.use("dark_background")
pandas.set_option("display.max_rows", 2)
pandas.set_option("display.precision", 1)
pandas.set_option("mode.copy_on_write", True)
pandas.set_option("future.infer_string", True)
pandas.Series.rank = pandas.Series.value_counts = None
numpy.set_printoptions(precision=1)
numpy.seterr(all="raise")
os.environ["TZ"] = "Asia/Tokyo"
"""
MORE = {
    "strings": "SELECT 'word ' || (i % 11) AS few, md5(i::VARCHAR) AS many, '' AS empty FROM range(300) t(i)",
    "dates": "SELECT TIMESTAMP '2024-02-29' + INTERVAL (i) HOUR AS at, DATE '1999-12-31' + i::INT AS day FROM range(300) t(i)",
    "booleans": "SELECT i % 3 = 0 AS flag, CASE WHEN i % 5 > 0 THEN i % 2 = 0 END AS some FROM range(300) t(i)",
    "constant": "SELECT 7 AS whole, 'same' AS text, true AS flag, 1.5 AS number FROM range(300)",
    "odd": """SELECT i AS "<b>\N{PILE OF POO}</b>", '<script>' || i % 4 || '\N{GRINNING FACE}' AS "a""'&" FROM range(300) t(i)""",
    "mixed": """SELECT i, i * -1.5 AS half, CASE WHEN i % 7 > 0 THEN sin(i) END AS wave, ['a', 'b', 'c'][1 + i % 3] AS letter,
                i % 2 = 0 AS even, DATE '2024-01-01' + (i % 50)::INT AS day FROM range(2500) t(i)""",
}


def requests(folder: Path, pages: str) -> list[ProfileRequest]:
    """Return requests of every kind of data, for pages in a folder of their own."""
    made = list(cases(folder))
    for name, query in MORE.items():
        data = folder / f"{name}.parquet"
        duckdb.sql(query).write_parquet(str(data))
        made.append(ProfileRequest(dataset=name, data=data, format="parquet", output=folder / name, content_hash=name))
    (folder / pages).mkdir()
    return [
        ProfileRequest(
            **{name: getattr(one, name) for name in one.__dataclass_fields__ if name != "output"},
            output=folder / pages / f"{one.dataset}.html",
        )
        for one in made
    ]


def few(folder: Path, *names: str) -> list[ProfileRequest]:
    data = folder / "a.csv"
    data.write_text("a,b\n1,x\n2,y\n3,x\n", encoding="utf-8")
    return [ProfileRequest(dataset=n, data=data, format="csv", output=folder / f"{n}.html", content_hash=n) for n in names]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the pages that a profiler makes that was started anew."""
    folder = tmp_path_factory.mktemp("usual")
    asked = requests(folder, "pages")
    profile_many(asked)
    return {one.dataset: one.output.read_bytes() for one in asked if one.output.exists()}


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Profiler]]:
    """Return a function that starts the process to fork from, and returns what is to profile in one forked from it."""
    kernels.stop()
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "meddler.py").write_text(MEDDLER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(library))

    def begin(*modules: str, companion: str | None = FORKED) -> Profiler:
        (tmp_path / "root").mkdir()
        kernels.prestart(tmp_path / "root", Config(), imports=modules, companion=companion)
        return Profiler(forked=kernels.take_companion)

    yield begin
    kernels.stop()


@pytest.mark.parametrize("seed", [None, "0", "1", "4242"])
def test_pages_have_the_same_bytes_whatever_else_is_imported_and_in_whatever_order_of_hashes(
    start: Callable[..., Profiler], usual: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: str | None
) -> None:
    if seed is not None:
        monkeypatch.setenv("PYTHONHASHSEED", seed)
    asked = [one for one in requests(tmp_path, "again") if one.dataset != "types"]  # its uuids are random for each file
    with start("pandas", "meddler", "scipy.stats") as profiler:
        results = profiler.make(asked)
        assert profiler._worker is not None
        assert profiler._worker.forked
    assert {one.dataset for one in results if one.status == "made"} == usual.keys() - {"types"}
    for one in asked:
        if one.dataset in usual:
            assert one.output.read_bytes() == usual[one.dataset], one.dataset


def test_it_is_of_low_priority_and_ends_with_the_block(start: Callable[..., Profiler], tmp_path: Path) -> None:
    with start("pandas") as profiler:
        (result,) = profiler.make(few(tmp_path, "a"))
        assert result.status == "made"
        assert profiler._worker is not None
        assert profiler._worker.forked
        process = psutil.Process(profiler._worker.pid)
        assert process.ppid() == kernels._server._process.pid  # type: ignore[union-attr]
        assert process.nice() >= min(19, psutil.Process().nice() + 10)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("what", ["profiler", "server", "both in the end"])
def test_one_that_is_killed_is_replaced_by_one_that_is_started(start: Callable[..., Profiler], tmp_path: Path, what: str) -> None:
    with start("pandas") as profiler:
        assert [one.status for one in profiler.make(few(tmp_path, "a"))] == ["made"]
        assert profiler._worker is not None
        assert profiler._worker.pid is not None
        server = kernels._server._process.pid  # type: ignore[union-attr]
        if what == "both in the end":
            kernels.stop()
        own = psutil.Process(profiler._worker.pid)
        os.kill(own.pid if what == "profiler" else server, signal.SIGKILL)
        assert ended(own), "it dies with the server, though it may make a page or two until then"
        results = profiler.make(few(tmp_path, "b", "c"))
        assert [one.status for one in results] == ["made", "made"]
        assert not profiler._worker.forked
    said = kernels.stop()
    assert len(said) == (what == "server")


@pytest.mark.parametrize("companion", ["no_such_module", None])
def test_where_it_cannot_be_forked_it_is_started(start: Callable[..., Profiler], tmp_path: Path, companion: str | None) -> None:
    with start("pandas", companion=companion) as profiler:
        profiler.warm()
        assert [one.status for one in profiler.make(few(tmp_path, "a"))] == ["made"]
        assert profiler._worker is not None
        assert not profiler._worker.forked


def test_with_cold_kernels_it_is_started(start: Callable[..., Profiler], tmp_path: Path) -> None:
    kernels.prestart(tmp_path, Config(kernels="cold"), companion=FORKED)
    with Profiler(forked=kernels.take_companion) as profiler:
        assert [one.status for one in profiler.make(few(tmp_path, "a"))] == ["made"]
        assert profiler._worker is not None
        assert not profiler._worker.forked


def test_a_profile_that_takes_too_long_ends_it(start: Callable[..., Profiler], tmp_path: Path) -> None:
    with start("pandas") as profiler:
        profiler.make(few(tmp_path, "a"))
        profiler._seconds = 0.5
        assert profiler._worker is not None
        assert profiler._worker.pid is not None
        stopped = psutil.Process(profiler._worker.pid)
        stopped.suspend()
        (result,) = profiler.make(few(tmp_path, "b"))
        assert (result.status, (result.error or "")[:19]) == ("failed", "stopped after 0.5 s")
        assert not stopped.is_running() or stopped.status() == psutil.STATUS_ZOMBIE
        profiler._seconds = 60.0
        assert [one.status for one in profiler.make(few(tmp_path, "c"))] == ["made"]


def test_doubt_about_what_was_left_out_makes_it_start_itself_again(
    start: Callable[..., Profiler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "site-packages"
    report = """
        import matplotlib
        class ProfileReport:
            def __init__(self, frame, **_): self.keys = list(frame)
            def get_description(self):
                n = 2 if self.keys[0] != "c0" else len(matplotlib.rcParams) * 0 + 3
                rows = {"n": n, "n_missing": n, "n_distinct": 1, "type": "Unsupported"}
                return type("Description", (), {"variables": {key: rows for key in self.keys}, "alerts": [], "correlations": {},
                                                "table": {"n": n}})()
    """
    (library / "ydata_profiling.py").write_text(textwrap.dedent(report), encoding="utf-8")
    (library / "matplotlib.py").write_text("rcParams = dict.fromkeys(range(9))\n", encoding="utf-8")
    with start() as profiler:
        profiler.warm()
        profiler.poll()
        results = profiler.make(few(tmp_path, "a", "b"))
        assert [one.status for one in results] == ["made", "made"], results
        assert profiler._worker is not None
        assert profiler._worker.forked
        assert psutil.Process(profiler._worker.pid).cmdline()[-1] == "nbops.quality._profile_worker"
