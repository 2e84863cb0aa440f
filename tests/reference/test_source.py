"""Bad input at ingest: each fault is an error that names the file, the line where it can be known, and what to do."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop.data import connect
from shop.faults import COLUMNS
from shop.source import SourceError, Window, find_files, read_orders

HEADER = ",".join(COLUMNS) + "\n"
LINE = '536365,85123A,"A HEART, WHITE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n'
EVERYTHING = Window()


def _read(source: Path, out: Path, window: Window = EVERYTHING) -> list[tuple[object, ...]]:
    with connect() as con:
        read_orders(con, str(source), window, str(out / "out.parquet"))
    return duckdb.read_parquet(str(out / "out.parquet")).fetchall()


def _fault(source: Path, out: Path, window: Window = EVERYTHING) -> str:
    with pytest.raises(SourceError) as caught:
        _read(source, out, window)
    message = str(caught.value)
    assert len(message) < 1_500, "an error message must be readable"
    return message


def _csv(folder: Path, content: str | bytes, name: str = "2010-12-01.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def test_a_good_file_is_read_as_it_is(tmp_path: Path) -> None:
    tricky = '536366,"71""053", <script>\'--;😀 ,-1,2010-12-01 08:27:00,0.0,,Unspecified\n'
    rows = _read(_csv(tmp_path, HEADER + LINE + LINE + tricky), tmp_path)
    assert [row[0] for row in rows] == ["536365", "536365", "536366"]  # copies stay
    assert rows[0][2] == "A HEART, WHITE"
    assert rows[0][6] == "17850"  # the only repair: ids are no decimals
    assert rows[2][1:4] == ('71"053', " <script>'--;😀 ", -1)
    assert rows[2][6] is None


def test_gzipped_days_and_their_parent_folder(tmp_path: Path) -> None:
    days = tmp_path / "by_day"
    days.mkdir()
    for day in ("2010-12-01", "2010-12-02", "2010-12-03"):
        (days / f"{day}.csv.gz").write_bytes(gzip.compress((HEADER + LINE).encode()))
    (days / "notes.txt").write_text("not data", encoding="utf-8")
    assert len(_read(days, tmp_path)) == len(_read(tmp_path, tmp_path)) == 3
    window = Window.parse(since="2010-12-02", until=date(2010, 12, 2))
    assert [file.name for file in find_files(str(tmp_path), window)] == ["2010-12-02.csv.gz"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", ["line 1", "empty", "Export it again"], id="empty"),
        pytest.param(b"\xef\xbb\xbf" + (HEADER + LINE).encode(), ["line 1", "UTF-8 byte order mark", "without BOM"], id="bom"),
        pytest.param((HEADER + LINE).encode("utf-16"), ["line 1", "UTF-16 byte order mark"], id="utf-16"),
        pytest.param((HEADER + LINE).replace(",", ";"), ["line 1", "';'", "Expected commas"], id="semicolons"),
        pytest.param((HEADER + LINE).replace(",", "\t"), ["line 1", "'\\t'", "Expected commas"], id="tabs"),
        pytest.param(HEADER.replace("Quantity", "Qty") + LINE, ["missing: Quantity", "unknown: 'Qty'"], id="renamed"),
        pytest.param("Country," + HEADER + LINE, ["9 columns", "repeated"], id="repeated"),
        pytest.param(",".join(f"c{n}" for n in range(5000)) + "\n", ["5,000 columns", "and 4,995 more"], id="5000-columns"),
        pytest.param(HEADER + LINE + "536366,71053,LANTERN,6\n", ["line 3", "4 cells", "Expected 8"], id="short-row"),
        pytest.param(HEADER + LINE + LINE.replace("\n", ",more\n"), ["line 3", "9 cells"], id="long-row"),
        pytest.param(HEADER + LINE + LINE.replace(",6,", ",six,"), ["line 3", "Quantity is 'six'", "whole number"], id="mixed"),
        pytest.param(HEADER + LINE.replace("2.55", "2,55"), ["line 2", "9 cells"], id="decimal-comma"),
        pytest.param(HEADER + LINE.replace("2010-12-01 08:26:00", "01.12.2010"), ["line 2", "InvoiceDate", "a time"], id="date"),
        pytest.param(
            HEADER.encode() + LINE.replace("HEART", "CAFÉ").encode("latin-1"), ["line 2", "0xc9", "iconv"], id="latin-1"
        ),
        pytest.param(HEADER + LINE.replace("HEART", "x" * 10_000_000), ["line 2", "characters", "at most"], id="10-mb-cell"),
        pytest.param(HEADER + LINE + '536366,"71053', ["line 3"], id="open-quote"),
        pytest.param(HEADER, ["no order line"], id="zero-rows"),
    ],
)
def test_a_bad_csv_says_where_and_what(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    message = _fault(_csv(tmp_path, content), tmp_path)
    for word in words:
        assert word in message
    assert not (tmp_path / "out.parquet").exists() or "no order line" in message


def test_the_right_one_of_many_files_is_named(tmp_path: Path) -> None:
    for day in range(1, 9):
        _csv(tmp_path, HEADER + LINE + (LINE.replace("2.55", "free") if day == 6 else LINE), name=f"2010-12-0{day}.csv")
    message = _fault(tmp_path, tmp_path)
    assert "2010-12-06.csv: line 3: UnitPrice is 'free'" in message


def test_a_truncated_gzip_is_no_short_file(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + LINE * 5_000).encode())
    message = _fault(_csv(tmp_path, whole[: len(whole) // 2], name="2010-12-01.csv.gz"), tmp_path)
    assert "2010-12-01.csv.gz" in message
    assert "Copy it again" in message


def test_a_file_that_is_no_gzip(tmp_path: Path) -> None:
    assert "cannot be read" in _fault(_csv(tmp_path, HEADER + LINE, name="2010-12-01.csv.gz"), tmp_path)


def _table(**changes: list[object]) -> pa.Table:
    columns: dict[str, list[object]] = {
        "InvoiceNo": ["536365", "536366"],
        "StockCode": ["85123A", "71053"],
        "Description": ["HEART", None],
        "Quantity": [6, 1],
        "InvoiceDate": ["2010-12-01 08:26:00", "2010-12-02 08:27:00"],
        "UnitPrice": [2.55, 3.39],
        "CustomerID": ["17850", None],
        "Country": ["United Kingdom", "France"],
    }
    return pa.table(columns | changes)


def test_a_parquet_file_and_a_window_of_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    pq.write_table(_table(), path)
    assert len(_read(path, tmp_path)) == 2
    assert [row[0] for row in _read(path, tmp_path, Window.parse(since="2010-12-02", until=""))] == ["536366"]
    assert "no order line from 2012-01-01" in _fault(path, tmp_path, Window.parse(since="2012-01-01", until=None))


def test_a_truncated_parquet(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    pq.write_table(_table(), path)
    path.write_bytes(path.read_bytes()[:-20])
    message = _fault(path, tmp_path)
    assert "no whole Parquet file" in message
    assert "Copy it again" in message


def test_a_parquet_that_is_damaged_inside(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    pq.write_table(_table(Description=["x" * 5_000, "y" * 5_000]), path, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[4:400] = b"\xff" * 396
    path.write_bytes(data)
    assert "lines.parquet" in _fault(path, tmp_path)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param(_table().drop_columns(["Country"]), ["missing: Country"], id="lost-column"),
        pytest.param(_table(**{f"c{n}": [1, 2] for n in range(5000)}), ["5,008 columns", "and 4,995 more"], id="5000-columns"),
        pytest.param(_table(Quantity=["6", "six"]), ["row 2", "Quantity is 'six'", "BIGINT"], id="mixed"),
        pytest.param(
            _table(Description=["x" * 10_000_000, None]), ["row 1", "Description", "1,000,000 characters"], id="10-mb-cell"
        ),
        pytest.param(_table().slice(0, 0), ["no order line"], id="zero-rows"),
    ],
)
def test_a_bad_parquet_says_where_and_what(tmp_path: Path, table: pa.Table, words: list[str]) -> None:
    path = tmp_path / "lines.parquet"
    pq.write_table(table, path)
    message = _fault(path, tmp_path)
    for word in words:
        assert word in message


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    message = _fault(tmp_path / "nowhere" / "data", tmp_path)
    assert "does not exist" in message
    assert "Expected 'simulated'" in message


def test_a_folder_without_days(tmp_path: Path) -> None:
    (tmp_path / "data.xlsx").write_bytes(b"PK")
    assert "holds no daily file" in _fault(tmp_path, tmp_path)


def test_an_unknown_kind_of_file(tmp_path: Path) -> None:
    assert "Allowed: .parquet, .csv, .csv.gz" in _fault(_csv(tmp_path, "x", name="data.xlsx"), tmp_path)


def test_a_window_without_days_says_which_there_are(tmp_path: Path) -> None:
    _csv(tmp_path, HEADER + LINE)
    message = _fault(tmp_path, tmp_path, Window.parse(since="2011-01-01", until="2011-02-01"))
    assert "2010-12-01 to 2010-12-01" in message


@pytest.mark.parametrize(
    ("since", "until", "word"),
    [("yesterday", "", "YYYY-MM-DD"), ("2011-02-30", "", "no day"), ("2011-02-02", "2011-02-01", "Swap")],
)
def test_a_window_that_cannot_be(since: str, until: str, word: str) -> None:
    with pytest.raises(SourceError, match=word):
        Window.parse(since=since, until=until)


def test_relative_paths_count_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "pipeline.yaml").touch()
    (tmp_path / "data").mkdir()
    _csv(tmp_path / "data", HEADER + LINE)
    monkeypatch.delenv("NBOPS_PROJECT", raising=False)
    for folder in ("project", "project/notebooks"):
        monkeypatch.chdir(tmp_path / folder)
        assert len(find_files("../data", EVERYTHING)) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_no_bytes_after_the_header_end_in_anything_but_rows_or_an_error(tmp_path: Path, junk: bytes) -> None:
    path = _csv(tmp_path, HEADER.encode() + LINE.encode() + junk)
    refused = ""
    rows: list[tuple[object, ...]] = []
    try:
        rows = _read(path, tmp_path)
    except SourceError as error:
        refused = str(error)
    assert path.name in refused or rows[0][0] == "536365"
