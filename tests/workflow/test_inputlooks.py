"""What two versions of an input show of a movement downstream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbops.workflow.inputlooks import look_at

if TYPE_CHECKING:
    from nbops.history.causes import InputLook

RATES = "plug,rate,day\nac,0.2,1\ndc,0.4,2\nold,0.3,3\n"


def _look(folder: Path, now: str, columns: dict[str | None, float]) -> InputLook:
    path = folder / "rates.csv"
    path.write_text(now, encoding="utf-8")
    found = look_at(RATES.encode(), path, columns=columns, kind="values", size=2.0, same=0.3, little=0.05)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("now", "more"),
    [
        (RATES + "new,0.9,4\n", True),
        (RATES.replace("0.2", "0.3") + "new,0.9,4\n", False),
        (RATES.replace("old,0.3,3\n", "") + "new,0.9,4\nnewer,0.9,4\n", False),
        (RATES + "ac,0.2,1\n", True),
        (RATES, False),
    ],
)
def test_an_input_that_only_got_more_rows_is_told(tmp_path: Path, now: str, more: bool) -> None:
    assert _look(tmp_path, now, {"rate": 0.9}).more is more


def test_columns_that_only_decide_something_do_not_say_that_an_input_is_innocent(tmp_path: Path) -> None:
    now = RATES.replace("0.4", "40")
    assert _look(tmp_path, now, {"rate": 0.9}).same is True
    assert _look(tmp_path, now, {"day": 0.9, None: 0.9}).same is False
    assert _look(tmp_path, now, {"day": 0.49, None: 0.9}).same is None
