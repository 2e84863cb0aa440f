"""``[tool.nbops]``: defaults, overrides, and errors that say what is wrong."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.contract.config import Config, TaskConfig, load_config, parse_memory
from nbops.errors import ConfigError


def write(root, text):
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return root


def test_no_file_and_no_table_give_the_defaults(tmp_path):
    assert load_config(tmp_path) == Config()
    assert load_config(write(tmp_path, "[project]\nname = 'x'\n")) == Config()
    assert Config().keep_runs == 50
    assert Config().commit is True


def test_everything_can_be_set(tmp_path):
    config = load_config(
        write(
            tmp_path,
            """
[tool.nbops]
commit = false
reports = "out/reports/"
keep_runs = 3
retries = 1
time_limit = 60
on_lock = "fail"
memory_limit = "2GB"
inputs = ["sql/*.sql", "sql/*.sql"]
secrets = ["SHOP_KEY"]
[tool.nbops.tasks.load]
retries = 4
retry_delay = 0.5
inputs = ["raw.csv"]
""",
        )
    )
    assert (config.commit, config.reports, config.keep_runs, config.on_lock) == (False, "out/reports", 3, "fail")
    assert config.inputs == ("sql/*.sql",)
    assert config.for_task("load") == TaskConfig(retries=4, retry_delay=0.5, time_limit=60.0, inputs=("sql/*.sql", "raw.csv"))
    assert config.for_task("other") == TaskConfig(retries=1, retry_delay=1.0, time_limit=60.0, inputs=("sql/*.sql",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.retries = 5


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[tool.nbops]\nkeep_run = 3", ["[tool.nbops]: unknown key 'keep_run'", "Did you mean 'keep_runs'?"]),
        ("[tool.nbops]\ncommit = 1", ["commit = 1: must be true or false, not a whole number"]),
        ("[tool.nbops]\nretries = true", ["retries = True: must be a whole number of at least 0"]),
        ("[tool.nbops]\nretries = -1", ["at least 0"]),
        ("[tool.nbops]\nkeep_runs = 0", ["at least 1"]),
        ("[tool.nbops]\nretry_delay = nan", ["must be a number of seconds"]),
        ("[tool.nbops]\ntime_limit = 0", ["above 0"]),
        ("[tool.nbops]\non_lock = 'waits'", ["Allowed: fail, wait. Did you mean 'wait'?"]),
        ("[tool.nbops]\nmemory_limit = 'lots'", ["is no size"]),
        ("[tool.nbops]\nmemory_limit = 2", ["is no size"]),
        ("[tool.nbops]\ninputs = 'a.csv'", ["must be a list of text, not text"]),
        ("[tool.nbops]\ninputs = [1]", ["must be a path as text"]),
        ("[tool.nbops]\nreports = '/tmp/x'", ["stay inside the project"]),
        ("[tool.nbops]\nreports = '../x'", ["stay inside the project"]),
        ("[tool.nbops]\nreports = 'a/../../x'", ["stay inside the project"]),
        ("[tool.nbops]\nreports = 'C:\\x'", ["stay inside the project"]),
        ("[tool.nbops]\nreports = '.'", ["not the root itself"]),
        ("[tool.nbops]\nsecrets = ['']", ["must be a list of names"]),
        ("[tool.nbops]\ntasks = 1", ["must be a table of tasks"]),
        ("[tool.nbops.tasks]\nload = 1", ["[tool.nbops.tasks.load] must be a table"]),
        ("[tool.nbops.tasks.load]\nretry = 1", ["[tool.nbops.tasks.load]: unknown key 'retry'", "Did you mean 'retries'?"]),
        ("[tool]\nnbops = 1", ["[tool.nbops] must be a table"]),
        ("[tool.nbops", ["not valid TOML"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, parts):
    with pytest.raises(ConfigError) as raised:
        load_config(write(tmp_path, text))
    assert str(raised.value).startswith("pyproject.toml: ")
    for part in parts:
        assert part in str(raised.value)


def test_not_utf8(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(b"x = '\xe9'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path)


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0.1, 999).map(lambda value: round(value, 2)), st.sampled_from(["KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"])
)
def test_sizes_are_what_duckdb_takes_them_for(value, unit):
    import duckdb

    size = parse_memory(f"{value}{unit}")
    assert size == int(value * (1024 if "i" in unit else 1000) ** ("KMGT".index(unit[0]) + 1))
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit='{value}{unit}'")


@settings(deadline=None, max_examples=60)
@given(st.text())
def test_no_text_as_a_path_escapes(text):
    from pathlib import PurePosixPath

    from nbops.contract import config

    try:
        path = config._inside(text)
    except config._WrongValueError:
        return
    assert not PurePosixPath(path).is_absolute()
    assert ".." not in PurePosixPath(path).parts
