"""Nothing private is committed: every byte of the commits is searched for what was planted."""

from __future__ import annotations

import base64
import html
import json
import re
import socket
import sys
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_project import Project, statuses_of, tasks_of

PEOPLE = [
    ("Wilhelmina Ostrander-Quist", "w.ostrander@privatemail.example", "+44 7700 900461", "QX-559-0147-K"),
    ("Þórdís Kjærgård", "thordis.k@privatemail.example", "+354 555 0198", "QX-559-0148-L"),
    ('Ann "Nan" O\'Malley <ann>', "nan.omalley@privatemail.example", "(020) 7946 0321", "QX-559-0149-M"),
    ("Баба Яга", "yaga@privatemail.example", "+7 495 555-01-77", "QX-559-0150-N"),
    ("Jean-Luc\tPetit", "jl.petit@privatemail.example", "06 55 50 12 34", "QX-559-0151-P"),
]
ACCOUNTS = [40817810099, 40817810123, 40817811456, 40817812789, 40817813012]
"""Numbers, in a column of whole numbers."""
SECRETS = {
    "db_password": "hunter2-Correct/Horse+Battery",
    "api_token": "tok_9f8e7d6c5b4a39281706f5e4d3c2b1a0",
}
ENVIRONMENT = {"SHOP_API_KEY": "env-key-5c1d9e7f3b2a48606e", "SHOP_PASSWORD": "p\u00e4ssw\u00f6rt-9931-xyzzy"}
URL_PASSWORD = "urlpass-77aa-ZZtop"

NOTEBOOK = """# %% tags=["parameters"]
upstream = ["people"]
product = None
api_token = None
url = None

# %%
import os
import sys
import tempfile
from pathlib import Path

import pandas as pd

df = pd.read_csv(upstream["people"])
df.head()

# %%
for row in df.itertuples():
    print("row", row.name, row.email, row.phone, row.national_id, row.account, f"{row.account:,}")
print(df.to_json())
print(df.to_string())
print(repr(df.name.tolist()), file=sys.stderr)

# %%
print("token", api_token, "url", url, "key", os.environ["SHOP_API_KEY"], os.environ["SHOP_PASSWORD"])
print(dict(os.environ))

# %%
print(os.getcwd(), Path.home() / "somewhere", sys.executable, sys.prefix, tempfile.gettempdir(), product["nb"])
print(Path("output/page.txt").resolve(), pd.__file__)

# %%
from IPython.display import HTML, JSON, Markdown, display

display(HTML(f"<p>{df.name[0]} &amp; {df.email[1]}</p>"))
display(Markdown(f"**{df.phone[2]}**"))
display({"application/json": {"who": df.name[3]}, "text/plain": df.name[3]}, raw=True)

# %%
Path(product["data"]).write_text("done")
if Path("break").exists():
    raise ValueError(f"cannot work with {df.name[0]} <{df.email[0]}> ({df.national_id[0]}) at {os.getcwd()} with {api_token}")
"""
TASKS = """
import csv
import json
import os


def people(product, db_password):
    with open("data/people.json", encoding="utf-8") as stream:
        found = json.load(stream)
    with open(product, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["name", "email", "phone", "national_id", "account", "spent"])
        writer.writerows(found)
    print("connected with", db_password, os.environ["SHOP_API_KEY"])


def copy(product, upstream):
    with open(upstream["people"], encoding="utf-8") as stream:
        text = stream.read()
    with open(product, "w", encoding="utf-8") as stream:
        stream.write(text)
    if os.path.exists("break-copy"):
        raise RuntimeError("broken at row: " + text.splitlines()[2] + " of " + os.getcwd())
"""
PIPELINE = """
tasks:
  - source: tasks.people
    product: output/people.csv
    params:
      db_password: "{{db_password}}"
  - source: tasks.copy
    product: output/buyers.csv
  - source: page.py
    product:
      nb: output/page.ipynb
      data: output/page.txt
    params:
      api_token: "{{api_token}}"
      url: "{{url}}"
"""
CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
version: 1.0.0
id: {name}
status: active
schema:
  - name: {name}
    properties:
      - name: name
        logicalType: string
        classification: personal
        logicalTypeOptions: {{maxLength: 12}}
        customProperties: [{{property: nbops.severity, value: warn}}]
      - name: email
        logicalType: string
        classification: PII
        logicalTypeOptions: {{pattern: "^[^y].*$"}}
        customProperties: [{{property: nbops.severity, value: warn}}]
      - name: phone
        logicalType: string
        classification: restricted
      - name: national_id
        logicalType: string
        tags: [pii]
      - name: account
        logicalType: integer
        classification: confidential
      - name: spent
        logicalType: integer
        logicalTypeOptions: {{minimum: 0}}
        customProperties: [{extra}]
"""


def forms(data: bytes) -> Iterator[str]:
    """Yield the text of some bytes, and what is encoded in it."""
    text = data.decode("utf-8", "replace")
    yield text
    unescaped = html.unescape(text)
    yield unescaped
    yield re.sub(r"<[^<>]*>", "", unescaped)
    yield html.unescape(unescaped)
    for source in (text, unescaped):
        plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), source)
        yield plain.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"').replace("\\/", "/").replace("\\\\", "\\")
        yield urllib.parse.unquote(source)
        for found in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", source):
            try:
                inner = base64.b64decode(found + "=" * (-len(found) % 4))
            except ValueError:
                continue
            yield inner.decode("utf-8", "replace")
            yield inner.decode("utf-16-le", "replace")
            for window in (zlib.MAX_WBITS, zlib.MAX_WBITS | 16, -zlib.MAX_WBITS):
                try:
                    yield zlib.decompress(inner, window).decode("utf-8", "replace")
                except zlib.error:
                    continue


def committed_bytes(project: Project, base: str) -> dict[str, bytes]:
    """Return every blob, commit message and path that came after a commit."""
    found: dict[str, bytes] = {"messages": project.git("log", "--format=%B", f"{base}..HEAD").encode()}
    for line in project.git("rev-list", "--objects", f"{base}..HEAD").splitlines():
        name, _, path = line.partition(" ")
        found[f"path {path}"] = path.encode()
        if project.git("cat-file", "-t", name) == "blob":
            found[f"{path} ({name[:8]})"] = project.blob(name)
    return found


def leaks(project: Project, base: str, planted: dict[str, str]) -> list[str]:
    """Return where something that was planted can be found."""
    found: list[str] = []
    for place, data in committed_bytes(project, base).items():
        texts = [re.sub(r"[\s\u00a0]+", " ", text) for text in forms(data)]
        for kind, value in planted.items():
            wanted = re.sub(r"\s+", " ", value)
            hit = next((text.index(wanted) for text in texts if wanted in text), None)
            if hit is not None:
                text = next(text for text in texts if wanted in text)
                found.append(f"{place}: {kind} {value!r}: ...{text[max(0, hit - 60) : hit + 60]}...")
    return found


def planted_in(project: Project) -> dict[str, str]:
    """Return everything that must not be found."""
    found: dict[str, str] = {}
    for number, (name, email, phone, identity) in enumerate(PEOPLE):
        found |= {f"name {number}": name, f"email {number}": email, f"phone {number}": phone, f"id {number}": identity}
    found |= {f"account {number}": str(account) for number, account in enumerate(ACCOUNTS)}
    found |= SECRETS | ENVIRONMENT | {"url": URL_PASSWORD}
    found |= {
        "root": str(project.root),
        "tmp": str(project.root.parent),
        "prefix": sys.prefix + "/",
        "kernel's scratch": "/ipykernel_",
        "home": str(Path.home() / "somewhere"),
        "host": socket.gethostname() if len(socket.gethostname()) > 5 else "no-host-name",
    }
    return found


@pytest.fixture
def private(make_project: Callable[..., Project]) -> Project:
    rows = [[*person, account, spent] for person, account, spent in zip(PEOPLE, ACCOUNTS, [5, 6, 7, 8, 9], strict=True)]
    project = make_project(
        {
            "pipeline.yaml": PIPELINE,
            "tasks.py": TASKS,
            "page.py": NOTEBOOK,
            "env.yaml": json.dumps({**SECRETS, "url": f"postgresql://shop:{URL_PASSWORD}@db.internal:5432/shop"}),
            "data/people.json": json.dumps(rows, ensure_ascii=False),
            "contracts/people.odcs.yaml": CONTRACT.format(name="people", extra=""),
            "contracts/buyers.odcs.yaml": CONTRACT.format(name="buyers", extra="{property: nbops.onFailure, value: quarantine}"),
            # what was planted is not to be found because the repository itself holds it
            ".gitignore": "output/\ndata/\nenv.yaml\nquarantine/\n",
        }
    )
    project.environment = dict(ENVIRONMENT)
    return project


def test_no_committed_byte_is_private(private: Project) -> None:
    base = private.commits()[0]
    run = private.build()
    assert run.verdict == "warned"
    assert any(result.failing_rows for result in run.checks), "no check shows examples: the test would prove nothing"
    rows = json.loads(private.read("data/people.json"))
    rows[2][-1] = -1
    private.write("data/people.json", json.dumps(rows, ensure_ascii=False))
    held, _ = private.fail()  # an error check of `people` shows its failing row
    assert statuses_of(held)["people"] == "failed"
    private.edit(
        "contracts/people.odcs.yaml", "customProperties: []", "customProperties: [{property: nbops.severity, value: warn}]"
    )
    aside = private.build()  # and `buyers` sets it aside
    assert [item.rows for item in aside.quarantine] == [1]
    private.write("break", "")
    private.write("break-copy", "")
    private.edit("page.py", "import tempfile\n", "import tempfile\nassert tempfile\n")
    private.edit("tasks.py", "as stream:\n        stream.write(text)", "as stream:\n        stream.write(text + '')")
    broken, text = private.fail()
    assert {statuses_of(broken)["page"], statuses_of(broken)["copy"]} == {"failed"}
    errors = {name: task.error for name, task in tasks_of(broken).items() if task.error}
    assert "cannot work with" in errors["page"].message
    assert "broken at row" in errors["copy"].message
    assert len(private.commits()) == 1 + 4

    planted = planted_in(private)
    assert leaks(private, base, planted) == []
    # the search does find such things: in what was published, which is not committed
    shown = "\n".join(forms((private.root / "output/page.ipynb").read_bytes()))
    unseen = [kind for kind, value in planted.items() if re.sub(r"\s+", " ", value) not in re.sub(r"\s+", " ", shown)]
    assert set(unseen) <= {"db_password", "kernel's scratch", "host"}, unseen
    assert any(
        "QX-559-0147-K" in form for form in forms(json.dumps({"a": base64.b64encode(b"x: QX-559-0147-K").decode()}).encode())
    )
    printed = [value for kind, value in planted.items() if kind in {*SECRETS, *ENVIRONMENT, "url"} and value in text]
    assert printed == []


_LEAKY = """
import nbops.record.scrub as scrub
scrub.Scrubber.run = lambda self, run: run
scrub.Scrubber.notebook = lambda self, notebook: notebook
"""


def test_the_guard_refuses_what_the_scrubber_lets_through(private: Project) -> None:
    base = private.commits()[0]
    result = private.ploomber("build", before=_LEAKY)
    assert result.code == 1
    assert "not committed" in result.text
    assert "reports/" in result.text
    assert private.commits()[0] == base
    assert private.git("diff", "--cached", "--name-only") == ""
    for secret in [*SECRETS.values(), URL_PASSWORD, *ENVIRONMENT.values()]:
        assert secret not in result.text
    for person in PEOPLE:
        assert person[1] not in result.text
    # nor does a later run take it along
    private.ploomber("build")
    assert leaks(private, base, planted_in(private)) == []
