"""The file of corrections: written, read, kept as people edited it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbops.errors import ConfigError
from nbops.history.expected import FILE, Correction, add_correction, applies, load_corrections
from nbops.model import Anomaly

ODD = Anomaly(monitor="volume", subject="dataset:orders", metric="rowCount")
RUN = "20261127T100000Z-abcdef"


def test_what_was_added_is_read_again_and_twice_is_once(tmp_path: Path) -> None:
    first = add_correction(tmp_path, subject="dataset:orders", reason="closed: <b>'sale'</b>", since="2026-11-27", by="Ann")
    again = add_correction(tmp_path, subject="dataset:orders", reason="another", since="2026-11-27")
    assert first.id == again.id
    assert load_corrections(tmp_path) == (first,)


def test_comments_that_are_there_stay(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_text("# ours\n- id: EXP-1  # because\n  subject: '*'\n  until: 2026-01-01\n", encoding="utf-8")
    add_correction(tmp_path, subject="task:load", monitor="duration", reason="slower machine")
    assert path.read_text(encoding="utf-8").startswith("# ours\n- id: EXP-1  # because\n")
    assert [item.subject for item in load_corrections(tmp_path)] == ["*", "task:load"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n", "must be a list"),
        ("- 5\n", r"\[0\]: must be an entry"),
        ("- {id: x, subject: y, sbject: z}\n", "Did you mean 'subject'"),
        ("- {id: x}\n", "'subject' are needed"),
        ("- {id: x, subject: y, until: soon}\n", "is no day"),
        ("- [\n", "cannot be read"),
        ("\0", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "monitoring").mkdir()
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_corrections(tmp_path)


def test_a_day_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no day"):
        add_correction(tmp_path, subject="*", reason="", until="christmas")
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    ("options", "covered"),
    [
        ({}, True),
        ({"subject": "*"}, True),
        ({"subject": "dataset:other"}, False),
        ({"monitor": "volume", "metric": "rowCount"}, True),
        ({"monitor": "nulls"}, False),
        ({"column": "city"}, False),
        ({"since": "2026-11-27", "until": "2026-11-27"}, True),
        ({"since": "2026-11-28"}, False),
        ({"until": "2026-11-26"}, False),
        ({"run": RUN}, True),
        ({"run": "20261127T100000Z-other0"}, False),
    ],
)
def test_what_a_correction_covers(options: dict[str, str], covered: bool) -> None:
    entry = Correction(**{"id": "EXP-1", "subject": "dataset:orders", **options})
    assert applies(entry, ODD, run=RUN) is covered
    assert applies(entry, ODD, run="no stamp", day="2026-11-27") is (covered and "run" not in options)
