"""``[tool.nbops.monitoring]``: defaults, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbops.contract.config_monitoring import Monitoring, load_monitoring
from nbops.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_without_a_table_everything_is_on(tmp_path: Path) -> None:
    assert load_monitoring(tmp_path) == Monitoring()
    assert load_monitoring(written(tmp_path, "[tool.other]\n")) == Monitoring()
    assert Monitoring().sensitivity_of("orders") == "normal"


def test_all_keys_are_read(tmp_path: Path) -> None:
    text = """[tool.nbops.monitoring]
sensitivity = "high"
logical_date = "day"
severity = "error"
holidays = ["2026-12-25", 2026-12-26]
[tool.nbops.monitoring.datasets.orders]
sensitivity = "low"
[tool.nbops.monitoring.datasets.logs]
enabled = false
"""
    found = load_monitoring(written(tmp_path, text))
    assert (found.sensitivity_of("orders"), found.sensitivity_of("logs"), found.sensitivity_of("x")) == ("low", None, "high")
    assert found.holidays == ("2026-12-25", "2026-12-26")
    assert (found.severity, found.logical_date) == ("error", "day")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sensitivty = 'low'", "Did you mean 'sensitivity'"),
        ("sensitivity = 'lowest'", "Did you mean 'low'"),
        ("enabled = 'yes'", "true or false"),
        ("severity = 3", "Allowed: error, warn"),
        ("logical_date = ''", "name of a parameter"),
        ("holidays = 5", "list of days"),
        ("holidays = ['soon']", "list of days"),
        ("datasets = 5", "must be a table"),
        ("[tool.nbops.monitoring.datasets.orders]\nlevel = 1", "unknown key 'level'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_monitoring(written(tmp_path, f"[tool.nbops.monitoring]\n{text}\n"))
