"""Profiles: the same bytes for the same data, nothing personal, nothing executed, nothing hanging, whatever the data is."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profile_tools import BAD, HOSTILE, PLANTED, cases, write

from nbops.quality import _profile_process
from nbops.quality._profile_sample import correlatable, draw, is_private, read_sample
from nbops.quality._profile_text import clean, number, percent, short
from nbops.quality._profile_types import kind_of
from nbops.quality.profile import Profiler, ProfileRequest, ProfileResult, is_current, profile_many

duckdb = pytest.importorskip("duckdb")

VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "path"})


@dataclass(frozen=True)
class Made:
    """Everything that was profiled once for this module."""

    requests: Mapping[str, ProfileRequest]
    results: Mapping[str, ProfileResult]
    log: list[str]

    def page(self, name: str) -> str:
        return self.requests[name].output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("profiles")
    requests = {request.dataset: request for request in cases(folder)}
    log: list[str] = []
    results = profile_many(list(requests.values()), log=log.append)
    return Made(requests, {result.dataset: result for result in results}, log)


def test_every_kind_of_data_gets_a_page_or_a_reason(made: Made) -> None:
    states = {name: result.status for name, result in made.results.items()}
    assert states == {name: "failed" if name in BAD else "made" for name in made.requests}
    assert list(made.results) == list(made.requests)
    assert {name for name, request in made.requests.items() if request.output.exists()} == made.requests.keys() - BAD
    assert len(made.log) == len(made.requests) - 1  # what is refused unasked is not logged


def test_reasons_are_named_without_values_or_paths(made: Made) -> None:
    errors = {name: made.results[name].error or "" for name in BAD}
    assert errors["gone"] == "gone: is not there. The task ended without writing it."
    assert errors["latin"].startswith("latin: line 2: not UTF-8")
    assert errors["changed"] == "the data has 30,000 rows but 29,999 were measured: it changed in between"
    assert errors["relation"] == "a profile of 'relation' cannot be made. Allowed: csv, json, jsonl, parquet."
    for error in errors.values():
        assert PLANTED not in error
        assert "/" not in error


def test_says_what_it_is_a_sample_of(made: Made) -> None:
    result, page = made.results["orders"], made.page("orders")
    assert (result.rows, result.sampled, result.columns, result.profiled) == (30_000, 20_000, 9, 8)
    assert "Made from a sample of 20,000 of 30,000 rows" in page
    assert "seed 42" in page
    assert "Made from all 100 rows" in made.page("types")
    assert "Made from all 1 row." in made.page("one")


def test_shows_the_numbers_of_the_whole_dataset(made: Made) -> None:
    cells = table_row(made.page("orders"), "order_id")
    assert cells == ["BIGINT", "0", "30,000", "0", "14,999.5", "29,999"]
    assert table_row(made.page("orders"), "price")[1] == "\N{EN DASH} could not be measured"
    assert table_row(made.page("orders"), "guest")[1] == "\N{EN DASH} not measured"


def test_numbers_of_the_whole_dataset_are_taken_when_none_are_given(made: Made, tmp_path: Path) -> None:
    page = made.page("types")
    assert table_row(page, "flag") == ["BOOLEAN", "0", "2", *["\N{EN DASH} not measured"] * 3]
    assert table_row(page, "small")[1:] == ["34", "66", "1", "49.5", "98"]
    assert table_row(page, "wild")[1:] == ["0", "52", "2", "50.5", "99"]  # finite values only
    assert table_row(page, "tz")[3] == "2024-01-01T00:00:00Z"
    assert table_row(page, "list")[1:3] == ["0", "100"]
    assert table_row(page, "nothing")[1:] == ["100", "0", *["\N{EN DASH} no value"] * 3]
    assert table_row(made.page("private"), "mail")[1] == "\N{EN DASH} not measured"
    path = write(tmp_path / "long.parquet", "SELECT i AS id, i % 7 AS few FROM range(2000001) t(i)")
    sample = read_sample(path, data_format="parquet", personal=(), sample_rows=50, whole=True)
    found = {(taken["column"], taken["metric"]): taken for taken in sample.measured}
    assert found["id", "maximum"]["value"] == 2_000_000
    assert found["few", "distinctValues"]["approximate"]
    assert found["id", "distinctValues"]["value"] == pytest.approx(2_000_001, rel=0.1)


def test_a_column_that_cannot_be_measured_does_not_cost_the_others_theirs(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", "SELECT i, 99999999999999999999999999999999999999::DECIMAL(38, 0) AS vast FROM range(9) t(i)"
    )
    sample = read_sample(path, data_format="parquet", personal=(), sample_rows=5, whole=True)
    found = {(taken["column"], taken["metric"]): taken["value"] for taken in sample.measured}
    assert found["i", "mean"] == 4
    assert ("vast", "mean") not in found


def test_personal_columns_show_counts_only(made: Made) -> None:
    page = made.page("orders")
    assert table_row(page, "Email") == ["VARCHAR", "0", "15,001", "personal: not shown"]
    for name in ("orders", "private"):
        assert PLANTED not in made.page(name)
        assert "@example.org" not in made.page(name)
    assert page.count("Email") == 1
    assert "all are personal" in made.page("private")


def table_row(page: str, name: str) -> list[str]:
    """Return the texts of a row of the whole dataset's table."""
    found = re.search(rf'<tr><th scope="row">(?:<a[^>]*>|<span class="name">){re.escape(name)}<.*?</tr>', page, re.DOTALL)
    assert found is not None
    return [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", found.group(), re.DOTALL)]


class Checker(HTMLParser):
    """Collects tags and attributes, and that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_pages_are_sound_and_refer_to_nothing_outside(made: Made) -> None:
    for name in made.requests.keys() - BAD:
        checker = Checker()
        checker.feed(made.page(name))
        assert checker.open == []
        assert not checker.tags & {"script", "img", "link", "iframe", "object", "form", "b"}, name
        assert len(checker.ids) == len(set(checker.ids))
        for key, value in checker.attributes:
            assert not key.startswith("on"), name
            assert key != "src"
            if key == "href":
                assert value is not None
                assert value.removeprefix("#") in checker.ids
        assert "http:" not in made.page(name)
        assert "https:" not in made.page(name)


def test_hostile_names_and_values_stay_text(made: Made) -> None:
    page = made.page("nasty")
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") >= 3
    assert "49" not in re.findall(r"<h3[^>]*>(.*?)</h3>", page)
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "\N{SYMBOL FOR NULL}nul" in page
    assert made.results["nasty"].profiled == 7
    assert HOSTILE not in made.page("types")


def test_kinds_of_types(made: Made) -> None:
    page = made.page("types")
    assert made.results["types"].profiled == 21
    kinds = dict(re.findall(r'<h3 id="c\d+-name">(\w+)</h3> <span class="soft">([\w ]+),', page))
    assert kinds["id"] == "Text"
    assert kinds["amount"] == kinds["huge"] == kinds["small"] == kinds["wild"] == "Real number"
    assert kinds["tz"] == kinds["forever"] == kinds["extreme"] == "Date"
    assert kinds["flag"] == kinds["maybe"] == "Boolean"
    assert kinds["nothing"] == "No values"
    assert kinds["constant"] == "Categorical"
    assert "9999-12-31" in page
    assert "25 (25%) infinite values" in page.replace("25.0%", "25%")
    assert "00000" in made.page("orders")  # codes keep their zeros


def test_empty_data_is_said_to_be_empty(made: Made) -> None:
    assert "The dataset has no rows" in made.page("none")
    assert table_row(made.page("none"), "a")[0] == "INTEGER"
    assert made.page("nulls").count("No values") >= 2
    assert "50 (100%)" in made.page("nulls")


def test_pages_are_bounded(made: Made) -> None:
    assert (made.results["orders"].bytes or 0) < 100_000
    wide = made.results["wide"]
    assert (wide.columns, wide.profiled) == (5_000, 60)
    assert (wide.bytes or 0) < 650_000
    assert "Only the first 60 columns are profiled; 4,940 more are left out." in made.page("wide")
    assert (made.results["cell"].bytes or 0) < 100_000
    assert "3 values longer than 1,000 characters" in made.page("cell")


def test_text_formats_are_read_as_they_were_measured(made: Made) -> None:
    assert (made.results["table"].rows, made.results["table"].columns) == (500, 3)
    kinds = dict(re.findall(r'<h3 id="c\d+-name">(\w+)</h3> <span class="soft">([\w ]+),', made.page("table")))
    assert kinds == {"a": "Real number", "b": "Real number", "code": "Text"}
    assert "00007" in made.page("table") or "00499" in made.page("table")
    assert (made.results["lines"].rows, made.results["lines"].profiled) == (200, 2)


def test_same_data_gives_same_bytes_in_another_process(made: Made, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo", "COLUMNS": "40"}
    names = ["orders", "types", "nasty", "lines"]
    questions = [{"seconds": 100.0, **plain(made.requests[name])} for name in names]
    done = subprocess.run(
        [sys.executable, "-m", "nbops.quality._profile_worker"],
        input="".join(json.dumps(question) + "\n" for question in questions).encode(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    ready, *answers = map(json.loads, done.stdout.splitlines())
    assert ready == {"event": "ready"}
    for name, answer in zip(names, answers, strict=True):
        if name == "types":  # its uuid column is random for each file, not for each reading of it
            assert answer["rows"] == 100
        assert answer["html"] == made.page(name)


def test_what_is_left_out_of_the_profilers_import_changes_no_byte(made: Made, tmp_path: Path) -> None:
    names = sorted(made.requests.keys() - BAD)
    done = subprocess.run(
        [sys.executable, "-m", "nbops.quality._profile_worker"],
        input="".join(json.dumps({"seconds": 100.0, **plain(made.requests[name])}) + "\n" for name in names).encode(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "NBOPS_PROFILE_WHOLE": "yes"},
    )
    _, *answers = map(json.loads, done.stdout.splitlines())
    assert [answer["html"] for answer in answers] == [made.page(name) for name in names]


def plain(request: ProfileRequest) -> dict[str, Any]:
    from nbops.quality._profile_files import plain as as_json

    return dict(as_json(request))


def test_pages_hold_no_clock_and_no_path(made: Made) -> None:
    from datetime import datetime, timezone

    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    for name in made.requests.keys() - BAD:
        assert today not in made.page(name)
        assert str(made.requests[name].data.parent) not in made.page(name)


def test_current_pages_are_left_alone(made: Made) -> None:
    request = made.requests["orders"]
    before = request.output.stat()
    (result,) = profile_many([request])  # starts no process: it would take seconds and change the time of the file
    assert result == ProfileResult(dataset="orders", status="current", output=request.output)
    assert request.output.stat().st_mtime_ns == before.st_mtime_ns


def test_a_page_is_current_for_its_data_and_settings_only(made: Made) -> None:
    request = made.requests["orders"]
    settings = {"description": request.description}
    assert is_current(request.output, request.content_hash, request.personal, **settings)
    assert not is_current(request.output, "other", request.personal, **settings)
    assert not is_current(request.output, request.content_hash, frozenset({"email", "country"}), **settings)
    assert not is_current(request.output, request.content_hash, request.personal, sample_rows=5, **settings)
    assert not is_current(request.output, request.content_hash, request.personal)
    assert not is_current(request.output.with_name("nowhere.html"), request.content_hash, request.personal)
    assert not is_current(request.output.parent, request.content_hash, request.personal)


# The process, without the profiler

FAKE = """
import json, os, signal, sys, time
mode = os.environ["FAKE_MODE"]
def say(**message):
    print(json.dumps(message), flush=True)
if mode == "no start": time.sleep(600)
if mode == "broken": say(event="broken", error="not installed"); sys.exit(3)
if mode == "exit": sys.exit(7)
say(event="ready")
for line in sys.stdin:
    question = json.loads(line)
    if "hang" in question["dataset"]: time.sleep(600)
    if "die" in question["dataset"]: os.kill(os.getpid(), signal.SIGKILL)
    if "rubbish" in question["dataset"]: print("<html>", flush=True); time.sleep(600)
    say(event="result", html="page of " + question["dataset"] + str(os.getpid()), rows=1, sampled=1, columns=1,
        profiled=1, seconds=0.0, peak_memory_bytes=1)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    (tmp_path / "fake_profile_worker.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.setattr(_profile_process, "_MODULE", "fake_profile_worker")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("FAKE_MODE", "works")
    return monkeypatch


def requests_for(folder: Path, *names: str) -> list[ProfileRequest]:
    return [
        ProfileRequest(dataset=name, data=folder / name, format="csv", output=folder / "pages" / f"{name}.html", content_hash="h")
        for name in names
    ]


def test_one_bad_profile_does_not_cost_the_others_theirs(fake: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines: list[str] = []
    results = profile_many(requests_for(tmp_path, "a", "hang", "b", "die", "c", "rubbish", "d"), seconds=1.0, log=lines.append)
    assert [result.status for result in results] == ["made", "failed", "made", "failed", "made", "failed", "made"]
    assert results[1].error == "stopped after 1 s. Raise profile_seconds or lower profile_rows in [tool.nbops]."
    assert (results[3].error or "").startswith("its process was killed by signal 9")
    assert len(lines) == 7
    assert not list((tmp_path / "pages").glob(".*"))


def test_one_process_serves_all(fake: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Profiler() as profiler:
        profiler.warm()
        first, second = profiler.make(requests_for(tmp_path, "a", "b"))
        (third,) = profiler.make(requests_for(tmp_path, "c"))
    pages = [result.output.read_text(encoding="utf-8") for result in (first, second, third) if result.output is not None]
    assert len({page[len("page of x") :] for page in pages}) == 1


@pytest.mark.parametrize(
    ("mode", "error"),
    [("broken", "not installed"), ("exit", "ended with code 7"), ("no start", "did not start: stopped after 0.5 s")],
)
def test_a_profiler_that_does_not_start_is_asked_once(fake: pytest.MonkeyPatch, tmp_path: Path, mode: str, error: str) -> None:
    fake.setenv("FAKE_MODE", mode)
    fake.setattr("nbops.quality.profile._START_SECONDS", 0.5 if mode == "no start" else 60.0)
    results = profile_many(requests_for(tmp_path, "a", "b"))
    assert [result.status for result in results] == ["failed", "failed"]
    assert all(error in (result.error or "") for result in results)


def test_a_failure_removes_the_page_of_older_data(fake: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (request,) = requests_for(tmp_path, "die")
    request.output.parent.mkdir()
    request.output.write_text("old", encoding="utf-8")
    profile_many([request])
    assert not request.output.exists()


def test_a_disk_that_refuses_is_a_reason(fake: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (request,) = requests_for(tmp_path, "a")
    (tmp_path / "file").write_text("", encoding="utf-8")
    (result,) = profile_many([replace(request, output=tmp_path / "file" / "a.html")])
    assert result.status == "failed"
    assert (result.error or "").startswith("the page could not be written: ")


def test_an_interpreter_that_is_gone_is_a_reason(fake: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake.setattr(sys, "executable", str(tmp_path / "no-python"))
    (result,) = profile_many(requests_for(tmp_path, "a"))
    assert result.error == "the profiler cannot be started: No such file or directory"


# Pure parts


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, nbops.quality.profile; print(*{'pandas', 'duckdb', 'numpy', 'jinja2', 'ydata_profiling'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "\n"


@given(rows=st.integers(0, 10**9), wanted=st.integers(1, 200))
def test_draws_different_rows_in_order(rows: int, wanted: int) -> None:
    numbers = draw(min(rows, 10**6), wanted) if rows < wanted else draw(rows, wanted)
    assert len(numbers) == min(rows, wanted)
    assert all(0 <= number < rows for number in numbers)
    assert numbers == sorted(set(numbers))
    assert numbers == draw(rows, wanted)


def test_the_draw_never_changes() -> None:
    assert draw(1_000, 10) == [63, 102, 227, 322, 473, 567, 689, 708, 842, 902]


@given(st.text())
def test_texts_are_safe_to_show(text: str) -> None:
    shown = short(text)
    assert shown
    assert len(shown) <= 60
    assert "\n" not in shown
    assert clean(shown) == shown
    shown.encode("utf-8")


@given(st.floats())
def test_numbers_are_near_what_they_say(value: float) -> None:
    shown = number(value)
    if math.isnan(value):
        assert shown == "\N{EN DASH}"
    elif abs(value) != float("inf"):
        assert float(shown.replace(",", "")) == pytest.approx(value, rel=1e-5)
        assert len(shown) < 25


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_percentages_never_round_to_none_or_all(part: int, more: int) -> None:
    share = part / (part + more)
    assert (percent(share) == "0%") == (share == 0)
    assert percent(share) != "100%" or share == 1


def test_private_parts() -> None:
    assert is_private("EMAIL", {"email"})
    assert is_private("address", {"address.street"})
    assert not is_private("address2", {"address.street"})
    assert not is_private("mail", {"email"})


def test_correlations_of_many_columns_are_bounded(tmp_path: Path) -> None:
    columns = ", ".join(
        [f"i + {at} AS n{at}" for at in range(30)] + [f"i % {at + 2} AS m{at}, 'c' || i % 7 AS c{at}" for at in range(15)]
    )
    path = write(tmp_path / "a.parquet", f"SELECT {columns} FROM range(100) t(i)")
    sample = read_sample(path, data_format="parquet", personal=(), sample_rows=100)
    taken, able = correlatable(sample.fields, 100)
    assert len(able) == 60
    assert set(taken) < set(able)
    categories = sum(field.kind == "text" for field in sample.fields if field.key in taken)
    assert 0 < categories * (len(taken) - categories) + categories * (categories - 1) / 2 <= 200


def test_long_texts_in_many_columns_fit_into_memory(tmp_path: Path) -> None:
    columns = ", ".join(f"repeat('w' || (hash(i * {at}) % 90000), 400) AS t{at}" for at in range(1, 41))
    path = write(tmp_path / "a.parquet", f"SELECT {columns} FROM range(12000) t(i)")  # 1 GB, were all of it read at once
    sample = read_sample(path, data_format="parquet", personal=(), sample_rows=2_000)
    assert sample.frame.shape == (2_000, 40)
    assert sample.frame.notna().all(axis=None)


def test_personal_columns_are_not_even_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", f"SELECT '{PLANTED}' AS Mail, {{'x': '{PLANTED}'}} AS who, i FROM range(5) t(i)")
    sample = read_sample(path, data_format="parquet", personal={"mail", "who.x"}, sample_rows=3)
    assert [field.name for field in sample.fields] == ["i"]
    assert PLANTED not in sample.frame.to_csv()
    assert (len(sample.frame), sample.rows) == (3, 5)


def test_a_folder_of_files_is_one_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(3):
        write(folder / f"{part}.parquet", f"SELECT {part} AS part, i FROM range(10) t(i)")
    sample = read_sample(folder, data_format="parquet", personal=(), sample_rows=6)
    assert sample.rows == 30
    assert list(sample.frame["c0"]) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("stored", "kind"),
    [("UHUGEINT", "integer"), ("INTEGER[]", "text"), ("TIMESTAMP WITH TIME ZONE", "date"), ("DECIMAL(3,1)[]", "text")],
)
def test_kinds(stored: str, kind: str) -> None:
    assert kind_of(stored) == kind


def test_the_worker_names_what_is_missing(tmp_path: Path) -> None:
    for name in ("ydata_profiling", "data_profiling"):
        (tmp_path / f"{name}.py").write_text("raise ImportError", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "nbops.quality._profile_worker"],
        input=b"",
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 3
    assert "pip install ydata-profiling" in json.loads(done.stdout)["error"]


def test_the_successor_serves_as_well(tmp_path: Path) -> None:
    (tmp_path / "ydata_profiling.py").write_text("raise ImportError", encoding="utf-8")
    (tmp_path / "data_profiling.py").write_text("class ProfileReport: pass", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "nbops.quality._profile_worker"],
        input=b"",
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    assert json.loads(done.stdout) == {"event": "ready"}


def test_a_column_that_the_profiler_cannot_bear_is_left_out(tmp_path: Path) -> None:
    from nbops.quality._profile_page import Page, render_page
    from nbops.quality._profile_worker import describe

    class Picky:
        """Stands for a profiler with a fault in one kind of column."""

        def __init__(self, frame: Any, **_: Any) -> None:
            self.frame = frame

        def get_description(self) -> Any:
            if "c1" in self.frame:
                raise ZeroDivisionError
            return type("Description", (), {"variables": {"c0": {"n": 3, "n_missing": 0, "n_distinct": 3, "type": "Unsupported"}},
                                            "alerts": [], "correlations": {}, "table": {"n": 3}})()  # fmt: skip

    path = write(tmp_path / "a.parquet", "SELECT i AS good, i AS bad FROM range(3) t(i)")
    sample = read_sample(path, data_format="parquet", personal=(), sample_rows=10)
    description, unbearable = describe(Picky, sample.frame, sample.fields)
    assert unbearable == {"c1"}
    (request,) = requests_for(tmp_path, "a")
    page = render_page(Page(request=plain(request), sample=sample, description=description, unbearable=unbearable))
    assert "The profiler failed on the values of this column." in page


# In a browser


@pytest.mark.browser
def test_pages_pass_axe_and_ask_nobody(made: Made, chromium: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is in the test extra")
    from playwright.sync_api import sync_playwright

    script = next(Path(axe.__file__).parent.rglob("axe.min.js")).read_text(encoding="utf-8")
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        # the whole of axe in one theme, and of another what depends on it; on long pages axe takes minutes
        for scheme, rules, names in (("light", None, ["nasty", "none", "orders"]), ("dark", ["color-contrast"], ["orders"])):
            context = browser.new_context(color_scheme=scheme, bypass_csp=True, viewport={"width": 390, "height": 800})
            page = context.new_page()
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            for name in names:
                page.goto(made.requests[name].output.as_uri())
                page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
                page.evaluate(script)
                options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
                violations = page.evaluate("options => axe.run(document, options)", options)["violations"]
                found += [(scheme, name, violation["id"], violation["nodes"][0]["target"]) for violation in violations]
            assert asked == [made.requests[name].output.as_uri() for name in names]
        for name in ("cell", "nasty", "orders", "types", "wide"):
            page.goto(made.requests[name].output.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways on a phone"
        browser.close()
    assert found == []
