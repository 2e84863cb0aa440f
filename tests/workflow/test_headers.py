"""The first line of a CSV file, where it is one of names."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.workflow.headers import columns_of


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", b"id,at\n1,2\n", ("id", "at")),
        ("a.csv", "\ufeffid;größe\n1;2\n".encode(), ("id", "größe")),
        ("a.tsv", b"id\tat, exactly\r\n1\t2\r\n", ("id", "at, exactly")),
        ("a.csv.gz", gzip.compress(b'"a,b","c\nd"\n1,2\n', mtime=0), ("a,b", "c\nd")),
        ("A.CSV", b"only\n1\n", ("only",)),
        ("a.csv", b"1,2\n3,4\n", ()),
        ("a.csv", b"id,id\n1,2\n", ()),
        ("a.csv", b"id,\n1,2\n", ()),
        ("a.csv", b"id,at", ()),
        ("a.csv", b"", ()),
        ("a.csv.gz", b"no gzip\n", ()),
        ("a.parquet", b"id,at\n", ()),
        ("a.csv", b"id,at\n" + b"\xff" * 99, ("id", "at")),
        ("a.csv", b"x" * 200_000 + b"\n", ()),
    ],
)
def test_first_lines(tmp_path, name, data, expected):
    path = tmp_path / name
    path.write_bytes(data)
    assert columns_of(path) == expected


def test_what_is_no_file(tmp_path):
    assert columns_of(tmp_path / "none.csv") == ()
    (tmp_path / "folder.csv").mkdir()
    assert columns_of(tmp_path / "folder.csv") == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(data)
    names = columns_of(path)
    assert len(set(names)) == len(names)
    assert all(names)
