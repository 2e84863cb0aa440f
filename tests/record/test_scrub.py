"""Nothing private survives the scrubber, what was scrubbed stays the same, and what is left raises no alarm at the guard."""

from __future__ import annotations

import getpass
import html
import json
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.model import (
    Check,
    CheckResult,
    Dataset,
    Distribution,
    Measurement,
    Notice,
    Quarantine,
    Run,
    RunError,
    Segment,
    TaskRun,
)
from nbops.record.guard import scan
from nbops.record.machine_paths import PathMask
from nbops.record.scrub import PersonalValues, Scrubber, collect_secrets, steady_text
from nbops.record.secret_values import SecretMask, is_secret_name, replace_spans

ROOT = Path("/home/ann/code/shop")
SUPERUSER = "root"  # whose home is not below /home
SECRETS = ("hunter2-correct-horse", "p@ss/w0rd&<x>", "zwölf'Affen\"", "tok\\en\nline-two-of-it")
PEOPLE = PersonalValues(
    {
        "name": ["Jane O'Neil", "Zsófia Kovács-Nagy", "王小明", "Quvenzhané"],
        "email": ["jane.oneil@example.org"],
        "phone": [4915112345678, "+44 20 7946 0958"],
        "id": [17850.0, 13047],
        "address": ["221B Baker Street, Flat 4, London NW1 6XE, United Kingdom"],
        "born": ["1980-05-17"],
        "age": [42],
        "vip": [True, False, None],
    }
)


@pytest.fixture(scope="module")
def scrubber():
    return Scrubber(ROOT, secrets=SECRETS, personal=PEOPLE, moved={".nbops/staging/r1/clean.parquet": "output/clean.parquet"})


# secrets


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "dbPassword",
        "passwd",
        "userPasswd2",
        "secret",
        "client_secret",
        "token",
        "GITHUB_TOKEN",
        "hfToken",
        "api_key",
        "APIKey",
        "apikey",
        "x-api-key",
        "private_key",
        "AWS_SECRET_ACCESS_KEY",
        "aws_access_key_id",
        "auth",
        "BASIC_AUTH",
        "Authorization",
        "DATABASE_DSN",
        "connection_string",
        "connectionString",
        "CONN_STR",
        "credentials",
        "MYSQL_PWD",
        "pwd",
        "SMTP_PASS",
        "storage.account.key",
        "SECRET_KEY",
        "cookie",
        "jwt",
        "refresh_token",
    ],
)
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "author",
        "AUTHORS",
        "monkey",
        "keyboard",
        "tokenizer",
        "max_token_count",
        "num_tokens",
        "tokens",
        "primary_key",
        "join_key",
        "key",
        "keys",
        "PWD",
        "OLDPWD",
        "password_min_length",
        "auth_mode",
        "SSH_AUTH_SOCK",
        "XAUTHORITY",
        "secretary",
        "passenger",
        "pass",
        "pass_rate",
        "first_pass_yield",
        "compass",
        "auth_url",
        "token_type",
        "",
        "é",
        "😀",
        "scale",
    ],
)
def test_names_of_no_secrets(name):
    assert not is_secret_name(name)


def test_collecting_secrets():
    found = collect_secrets(
        {
            "db": {"password": "correct-horse", "host": "db.example.org"},
            "token": "short",
            "tokens": 4096,
            "api_key": 12345678,
            "url": "postgresql://u:in%40url99@db/x",
            "secret": ["first-one", {"x": "second-one"}],
            "auth": True,
            "my_thing": "named-one",
            "password": "password-is-default",
            "jwt": "aaaaaaaaaa",
        },
        {
            "AWS_SECRET_ACCESS_KEY": "from-environ",
            "PATH": "/usr/bin",
            "PWD": "/home/ann",
            "EMPTY_TOKEN": "",
            "REDIS_URL": "redis://:only-pass@r",
        },
        ["MY_THING"],
    )
    assert set(found) == {
        "correct-horse",
        "12345678",
        "in%40url99",
        "in@url99",
        "first-one",
        "second-one",
        "named-one",
        "from-environ",
        "only-pass",
        "password-is-default",
    }
    assert list(found) == sorted(found, key=lambda value: (-len(value), value))


@pytest.mark.parametrize(
    "form",
    [
        str,
        html.escape,
        quote,
        lambda text: quote(text, safe=""),
        repr,
        json.dumps,
        lambda text: json.dumps(json.dumps(text)),
        lambda text: json.dumps(html.escape(text)),
        lambda text: f"pre{text}post",
        lambda text: f"{text}{text}",
    ],
)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_in_every_form(scrubber, form, secret):
    written = form(secret)
    scrubbed = scrubber.text(f"before {written} after")
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")
    assert "***" in scrubbed
    for part in (secret, written.strip("\"'"), *secret.split("\n")):
        assert part not in scrubbed


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("postgresql+psycopg2://ann:s3cr3t@db:5432/x", "s3cr3t"),
        ("https://:tok_en@host/x?y=1", "tok_en"),
        ("url = 'mysql://u:p@ss@host/db'", "p@ss@"),
        ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnop"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
        ("key AKIAIOSFODNN7EXAMPLE.", "AKIAIOSFODNN7EXAMPLE"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n", "MIIE"),
        ("'-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----'", "MIIE"),
        ("ghp_" + "a1B2" * 9, "a1B2"),
        ("github_pat_" + "a1B2" * 10, "a1B2"),
        ("xoxb-1234567890-abcdefghij", "abcdefghij"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4", "SflKxw"),
        ("connect(password='s3cr3t')", "s3cr3t"),
        ('{"api_key": "abcd1234"}', "abcd1234"),
        ("{&quot;client_secret&quot;: &quot;abcd1234&quot;}", "abcd1234"),
        ("sk_live_" + "a1B2" * 6, "a1B2"),
        ("AIza" + "a" * 35, "aaaa"),
    ],
)
def test_what_looks_like_a_secret_is_masked(scrubber, text, gone):
    scrubbed = scrubber.text(text)
    assert gone not in scrubbed
    assert scrubber.text(scrubbed) == scrubbed
    assert scan([("a.html", text.encode())], root=ROOT)
    assert not scan([("a.html", scrubbed.encode())], root=ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/home/y?x=1",
        "http://localhost:8888/tree",
        "see http://x:80 and a@b",
        "password: required",
        'type="password"',
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0bf822cd15d6c15b0f00a08",
        "api_key = os.environ['API_KEY']",
        "password='${DB_PASSWORD}'",
        "author = 'Somebody'",
        "3.11.7 numpy==2.3.5 2026-11-22T19:41:56Z 20261122T194156Z-1f0c9a",
        "A Bearer of bad news",
        "12 of 541,909 rows; 1,234.50",
        "./data/x.csv notebooks/clean.py",
        "~/x",
        "C:/Windows",
        "a/tmp/b",
        "//home/x",
        "/usr/bin/env /etc/hosts /opt/x",
        "0x7f3a",
        "50% of 20%",
        "&lt;b&gt; &amp; \\n",
        "git@github.com:team/shop.git",
        "task-token",
    ],
)
def test_ordinary_text_stays(scrubber, text):
    assert scrubber.text(text) == text
    assert not scan(
        [("a.html", text.encode()), ("b.json", json.dumps(text).encode())], secrets=SECRETS, personal=PEOPLE, root=ROOT
    )


# paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ann/code/shop", "."),
        ("/home/ann/code/shop/data/x.csv:12", "data/x.csv:12"),
        ('File "/home/ann/code/shop/src/a.py", line 3', 'File "src/a.py", line 3'),
        (f"{ROOT}2/x", "~/code/shop2/x"),
        ("/home/ann/.cache/x", "~/.cache/x"),
        ("/home/bob", "<path>"),
        ("open('/home/bob/My Files/a b.csv')", "open('<path>/a b.csv')"),
        (f"/Users/bob/x/y.csv and /{SUPERUSER}/z", "<path>/y.csv and <path>/z"),
        (r"C:\Users\bob\x.csv", "<path>/x.csv"),
        ("file:///home/ann/code/shop/x.html", "file://x.html"),
        ("sqlite:////home/ann/code/shop/x.db", "sqlite:///x.db"),
        ("https://x/home/y/home/ann/code/shop", "https://x/home/y/home/ann/code/shop"),
        ("http://x/?p=%2Fhome%2Fann%2Fcode%2Fshop%2Fa", "http://x/?p=a"),
        ("<td>/home/bob/x</td>", "<td><path>/x</td>"),
        (".nbops/staging/r1/clean.parquet", "output/clean.parquet"),
        ("/home/ann/code/shop/.nbops/staging/r1/clean.parquet", "output/clean.parquet"),
        ("cc -I/home/ann/code/shop/inc", "cc -Iinc"),
        ("/var/folders/ab/T/x.csv", "<path>/x.csv"),
        ("PATH=/home/ann/code/shop/bin:/home/ann/bin", "PATH=bin:~/bin"),
        ("'/home/ann/code/shop\\nnext'", "'.\\nnext'"),
        ("\\u002fhome\\u002fbob\\u002fx", "<path>/x"),
    ],
)
def test_paths(text, expected):
    mask = PathMask(ROOT, moved={".nbops/staging/r1/clean.parquet": "output/clean.parquet"}, home=Path("/home/ann"))
    assert mask.mask(text) == expected
    assert mask.mask(expected) == expected
    escaped = mask.mask(text, markup=True)
    assert "<path>" not in escaped
    assert mask.mask(escaped, markup=True) == escaped


def test_the_interpreter_and_temporary_folders():
    mask = PathMask(ROOT)
    assert mask.mask(f"{sys.prefix}/bin/python") == "<python>/bin/python"
    assert mask.mask(f"{json.__file__}").startswith("<python>/")
    assert mask.mask(f"{tempfile.gettempdir()}/tmpab12cd3/x.csv") == "<tmp>/x.csv"
    assert mask.mask(f"{tempfile.gettempdir()}/ipykernel_4711/99.py") == "<tmp>/99.py"
    assert mask.mask(f"{tempfile.gettempdir()}/tmpab12cd3") == "<tmp>"


def test_a_root_with_blanks_and_other_letters(tmp_path):
    root = tmp_path / "my shöp & <co>"
    root.mkdir()
    link = tmp_path / "link"
    link.symlink_to(root)
    mask = PathMask(link)
    for form in (str(root), str(link), quote(str(root)), html.escape(str(root)), json.dumps(str(root))[1:-1]):
        assert mask.mask(f"{form}/a.csv") == "a.csv"


def test_the_machine_and_the_user(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "worker-17.corp")
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    mask = PathMask(ROOT)
    assert mask.mask("ann@worker-17.corp:~$ ls; http://worker-17.corp:8080/worker-17.corp on worker-17.corp.") == (
        "user@host:~$ ls; http://host:8080/host on host."
    )
    assert mask.mask("ann and annabel, worker-175") == "ann and annabel, worker-175"
    monkeypatch.setattr(socket, "gethostname", lambda: "shop")
    assert PathMask(ROOT).mask("the shop of ann@shop") == "the shop of user@host"


# personal values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call JANE O'NEIL now", "Call ••• now"),
        ("Jane O&#x27;Neil", "•••"),
        ('"Zs\\u00f3fia Kov\\u00e1cs-Nagy"', '"•••"'),
        ("Zso\u0301fia Kova\u0301cs-Nagy", "•••"),
        ("客户王小明购买", "客户•••购买"),
        ("quvenzhané's", "•••'s"),
        ("mailto:jane.oneil%40example.org", "mailto:•••"),
        ("jane.oneil@example.org,1", "•••,1"),
        ("+44 20 7946 0958", "+•••"),
        ("tel 4915112345678.", "tel •••."),
        (
            "17850.0 and 17850, not 1.17850 or 17,850 or #17850 or 178500",
            "••• and •••, not 1.17850 or 17,850 or #17850 or 178500",
        ),
        ("lives at 221b baker street, flat 4, london", "lives at •••"),
        ("born 1980-05-17", "born •••"),
        ("42 true None", "42 true None"),
        ("export_jane_o_neil.csv", "export_•••.csv"),
        ("O'Neil, Jane", "O'Neil, Jane"),
        ("Quvenzhané_total", "Quvenzhané_total"),
    ],
)
def test_personal_values_are_found(text, expected):
    assert PEOPLE.mask(text) == expected
    assert PEOPLE.mask(expected) == expected


def test_two_words_are_found_in_either_order():
    people = PersonalValues({"name": ["Jane Doe"]})
    assert people.mask("DOE, JANE and jane   doe.") == "••• and •••."
    assert people.mask("Jane\n\n\n\n\n\n\nDoe") == "Jane\n\n\n\n\n\n\nDoe"


def test_ordinary_words_are_no_finding():
    people = PersonalValues({"name": ["Price", "Verdict", "Will Page", "Unusual"]}, ordinary=["Total price"])
    assert people.mask("Price verdict will page unusual") == "Price verdict ••• •••"


def test_numbers_that_fill_their_range_tell_nothing():
    people = PersonalValues({"id": range(12_346, 16_000), "iban": [9_876_543_210], "pin": [77_123_456]})
    assert people.mask("12400 77123456 9876543210") == "••• ••• •••"
    assert people.mask("12400 77123456 9876543210", numbers="telling") == "12400 ••• •••"


def test_personal_values_from_files(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(
        {
            "na me": ["Jané Doe'", None, "x" * 100_000],
            "id": [12_345_678.0, None, 3.0],
            "ok": ["public thing", "b", "c"],
            "tags": [["Secret Person", "zz"], None, []],
            "vip": [True, False, None],
            "when": pd.to_datetime(["1980-05-17", None, None]),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.drop(columns="tags").to_csv(tmp_path / "a.csv", index=False)
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    columns = ["na me", "id", "TAGS", "vip", "when", "gone"]
    for name in ("a.parquet", "a.csv", "a.jsonl"):
        people = PersonalValues.from_files([(tmp_path / name, name.partition(".")[2], columns)])
        assert people.columns == {"na me", "id", "tags", "vip", "when", "gone"}
        assert people.mask("jané doe 12345678 public thing True") == "••• ••• public thing True"
        assert people.mask("Secret Person") == ("Secret Person" if name == "a.csv" else "•••")
    assert not PersonalValues.from_files([])


@pytest.mark.parametrize(
    ("name", "line"),
    [("a.csv", 'x,who\n1,"{}"\n2,Unusual Person\n'), ("a.jsonl", '{{"who": "{}"}}\n{{"who": "Unusual Person"}}\n')],
)
def test_a_cell_of_ten_megabytes_is_read_past(tmp_path, name, line):
    (tmp_path / name).write_text(line.format("wordy " * 1_700_000))
    people = PersonalValues.from_files([(tmp_path / name, name.partition(".")[2], ["who"])])
    assert people.mask("Unusual Person, wordy wordy wordy wordy wordy wordy") == "•••, •••"


@pytest.mark.parametrize(("kind", "content"), [("parquet", b"PAR1rubbish"), ("avro", b""), ("parquet", None)])
def test_personal_values_that_cannot_be_read_are_an_error(tmp_path, kind, content):
    from nbops.errors import DataError

    path = tmp_path / "data"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="data"):
        PersonalValues.from_files([(path, kind, ["a"])])


# all together

FRAGMENTS = st.sampled_from(
    [
        *SECRETS,
        "Jane",
        "O'Neil",
        "Jane O'Neil",
        "jane.oneil@example.org",
        "4915112345678",
        "17850",
        "王小明",
        "/home/ann/code/shop",
        "/home/bob",
        "/tmp/x",
        "/root",
        "https://u:pw12@h",
        "Bearer ",
        "abcdefghijklmnopqrstuvwxyz",
        "***",
        "•••",
        "<path>",
        "<python>",
        "~",
        "&#x27;",
        "\\u00e9",
        "%2F",
        "%40",
        "\\n",
        "\\",
        "&amp;",
        "/",
        ".",
        " ",
        "\n",
        "@",
        ":",
        "'",
        '"',
        "password='",
        "hunter2-correct",
        "-horse",
        "file://",
    ]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=3), max_size=14).map("".join)
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(TEXTS)
def test_secrets_and_people_never_survive_and_scrubbing_twice_changes_nothing(text):
    scrubber = _shared()
    scrubbed = scrubber.text(text)
    assert scrubber.text(scrubbed) == scrubbed
    scrubbed.encode()
    for secret in SECRETS:
        assert secret not in scrubbed
    assert not PEOPLE.find(scrubbed)
    assert not scan([("x.txt", scrubbed.encode())], secrets=SECRETS, personal=PEOPLE, root=ROOT)


_CACHE: list[Scrubber] = []


def _shared() -> Scrubber:
    if not _CACHE:
        _CACHE.append(Scrubber(ROOT, secrets=SECRETS, personal=PEOPLE))
    return _CACHE[0]


@SLOW
@given(
    st.recursive(
        TEXTS | st.integers() | st.floats() | st.none(), lambda item: st.lists(item, max_size=3) | st.dictionaries(TEXTS, item)
    )
)
def test_plain_values_are_scrubbed_and_stay(value):
    scrubber = _shared()
    scrubbed = scrubber.value({"any": value})
    assert scrubber.value(scrubbed) == scrubbed
    written = json.dumps(scrubbed, ensure_ascii=False, allow_nan=False)
    for secret in SECRETS:
        assert json.dumps(secret, ensure_ascii=False)[1:-1] not in written


def test_values_under_secret_names(scrubber):
    value = {
        "db_password": "x",
        "pin": {"token": 12, "n": None},
        "auth": True,
        "secret": {"a": ["b", ""]},
        "scale": 3,
        "api_key": "",
    }
    assert scrubber.value(value) == {
        "db_password": "***",
        "pin": {"token": "***", "n": None},
        "auth": True,
        "secret": {"a": ["***", ""]},
        "scale": 3,
        "api_key": "",
    }
    keys = scrubber.value({"/home/ann/code/shop": 1, "/home/ann/code/shop/": 2, ".": 3})
    assert sorted(keys.values()) == [1, 2, 3]


def test_a_run_loses_what_is_private_and_keeps_what_others_refer_to(scrubber):
    check = Check(
        id="name.pattern", dataset="Quvenzhané", metric="pattern", column="name", arguments=(("pattern", "/home/bob/x"),)
    )
    run = Run(
        id="20261122T194156Z-1f0c9a",
        status="failed",
        verdict="failed",
        pipeline="shop",
        command="ploomber build",
        started_at="2026-11-22",
        parameters={"db_password": "hunter2", "path": "/home/ann/code/shop/in", "who": "Jane O'Neil", "n": 17850},
        tasks=(
            TaskRun(
                name="Quvenzhané",
                kind="notebook",
                status="failed",
                reasons=("/home/ann/code/shop/a changed",),
                products={"a": "/home/ann/code/shop/b"},
                error=RunError(
                    kind="KeyError",
                    message="17850",
                    traceback="\x1b[31mat 0x7f12ab34cd56\x1b[0m of Jane O'Neil",
                    cell_source="x = 'hunter2-correct-horse'",
                ),
            ),
        ),
        datasets=(
            Dataset(
                name="Quvenzhané",
                task="t",
                path="p",
                format="csv",
                measurements=(
                    Measurement(metric="min", column="Age", value=42),
                    Measurement(metric="nullValues", column="age", value=42),
                    Measurement(metric="references", column="age", value=3),
                    Measurement(metric="rowRule", column="age", value=4),
                    Measurement(metric="min", column="total", value=42),
                    Measurement(metric="mostFrequent", column="total", value="Jane O'Neil"),
                ),
            ),
        ),
        checks=(
            CheckResult(
                check=check,
                verdict="failed",
                observed="Bo",
                message="found Jane O'Neil",
                examples=({"NAME": "Bo", "age": None, "x": "17850 of 4915112345678"},),
            ),
        ),
        quarantine=(
            Quarantine(
                dataset="d", task="t", path="/home/ann/code/shop/q", rows_in=3, rows_out=1, rows=2, reasons={"name.pattern": 2}
            ),
        ),
        notices=(Notice(kind="x", message="17850 rows"),),
    )
    found = scrubber.run(run)
    assert found.parameters == {"db_password": "***", "path": "in", "who": "•••", "n": 17850}
    task = found.tasks[0]
    assert (task.name, task.reasons, task.products) == ("Quvenzhané", ("a changed",), {"a": "b"})
    assert task.error is not None
    assert (task.error.message, task.error.traceback, task.error.cell_source) == ("•••", "at 0x... of •••", "x = '***'")
    assert [item.value for item in found.datasets[0].measurements] == ["•••", 42, 3, 4, 42, "•••"]
    result = found.checks[0]
    assert (result.observed, result.message) == ("•••", "found •••")
    assert result.examples == ({"NAME": "•••", "age": None, "x": "••• of •••"},)
    assert dict(result.check.arguments) == {"pattern": "<path>/x"}
    assert found.quarantine[0].reasons == {"name.pattern": 2}
    assert found.notices[0].message.endswith("rows")
    assert scrubber.run(found) == found


def test_steady_text():
    assert steady_text("\x1b[0;31mE\x1b[39m <f at 0x7f3a5c0d11f0> \x1b]8;;x\x07l") == "E <f at 0x...> l"
    assert steady_text("colour 0xff00ff") == "colour 0xff00ff"


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5))
def test_replacing_spans_keeps_the_rest(text, pairs):
    spans = [(min(pair), max(pair), "#") for pair in pairs if max(pair) <= len(text) and pair[0] != pair[1]]
    covered = {at for start, end, _ in spans for at in range(start, end)}
    kept = "".join(letter for at, letter in enumerate(text) if at not in covered)
    assert replace_spans(text.replace("#", "_"), spans).replace("#", "") == kept.replace("#", "_")


def test_a_secret_of_ten_megabytes_and_none_at_all():
    assert SecretMask(["x" * 10_000_000, "", "short", "true", "aaaaaaaa"]).mask("short true aaaaaaaa") == "short true aaaaaaaa"


def test_categories_that_show_something_private_are_counted_among_the_others(scrubber: Scrubber) -> None:
    private = {"jane.oneil@example.org": 3, "hunter2-correct-horse": 2, "/home/ann/code/other/x": 1}
    public = {"DE": 5, "password": 4, "<b>": 1}
    spread = Distribution(
        column="contact",
        rows=20,
        categories={**private, **public},
        others=4,
        patterns={"a": 1},
        frequent={"4915112345678": 1, "9.5": 2},
    )
    segments = tuple(Segment(by="contact", value=value, rows=1) for value in (*private, "DE"))
    spread = replace(spread, segments=(*segments, Segment(by="email", value="x", rows=1)))
    own = Distribution(column=" Email", rows=20, quantiles=(1.0,) * 11, categories={"x": 20}, others=0)
    dataset = Dataset(name="d", task="t", path="d.csv", format="csv", distributions=(spread, own), storage={"bom": True})
    run = Run(
        id="20261122T194156Z-1f0c9a",
        status="succeeded",
        verdict="passed",
        pipeline="p",
        command="c",
        started_at="2026-11-22T19:41:56Z",
        datasets=(dataset,),
    )
    once = scrubber.run(run)
    found, email = once.datasets[0].distributions
    assert found.categories == public
    assert found.others == 4 + sum(private.values())
    assert (found.patterns, found.frequent) == ({"a": 1}, {"9.5": 2})
    assert found.segments == (Segment(by="contact", value="DE", rows=1),)
    assert email == Distribution(column=" Email", rows=20)
    assert once.datasets[0].storage == {"bom": True}
    assert scrubber.run(once) == once
