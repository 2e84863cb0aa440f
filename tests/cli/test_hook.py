"""The one line in pipeline.yaml: in and out, every other byte as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nbops.errors import ConfigError
from nbops.workflow.hook import attach_pipeline, detach_pipeline, ignore_in_git, with_hook, without_hook

LINE = "on_render: nbops.attach"
TASKS = "tasks:\n  - source: a.py\n    product: out/a.ipynb\n"
PLAIN = {
    "comments": "# ours\n# since 2019\n\nmeta:   {a:  1}  # odd   spacing\n" + TASKS + "\n# the end",
    "crlf": TASKS.replace("\n", "\r\n"),
    "no line end": TASKS.rstrip("\n"),
    "bom": "\ufeff" + TASKS,
    "marker": "---\n" + TASKS,
    "marker with comments": "# top\n%YAML 1.1\n---  # begin\n# below\n" + TASKS + "...\n",
    "bom and marker": "\ufeff---\n" + TASKS,
    "indented": "".join(f"   {line}\n" for line in TASKS.splitlines()),
    "anchors": "meta: &m {a: 1}\nserializer: *m\n" + TASKS,
    "emoji": "# 🛒 données\n" + TASKS,
    "looks like it": "# on_render: nbops.attach\nmeta: {x: 'on_render: nbops.attach'}\n" + TASKS,
    "nan": "meta: {a: .nan, b: 2026-99-99}\n" + TASKS,
    "placeholders": "tasks:\n  - source: a.py\n    product: '{{out}}/a.ipynb'\n",
}


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN.keys())
def test_adds_exactly_one_line_and_undo_restores_every_byte(text: str) -> None:
    edited, line = with_hook(text)
    lines, before = edited.splitlines(keepends=True), text.splitlines(keepends=True)
    assert lines[line - 1].strip("\ufeff \r\n") == LINE
    assert "".join(lines[: line - 1]) + edited.splitlines(keepends=True)[line - 1][
        : len("\ufeff") * edited.startswith("\ufeff" + LINE)
    ] + "".join(lines[line:]) == "".join(before)
    assert yaml.compose(edited, Loader=yaml.SafeLoader).value[0][0].value == "on_render"
    assert without_hook(edited) == text


def test_line_ends_are_the_files_own() -> None:
    assert with_hook(PLAIN["crlf"])[0].startswith(LINE + "\r\n")
    assert with_hook(PLAIN["comments"])[0].startswith(LINE + "\n#")


@given(
    st.lists(
        st.sampled_from(["# c\n", "\n", "meta:\n  extract_upstream: true\n", "   # far\n", "clients: {}\n"]),
        max_size=6,
        unique=True,
    ),
    st.sampled_from(["", "---\n", "# x\n---\n", "\ufeff"]),
)
def test_any_layout_goes_there_and_back(parts: list[str], head: str) -> None:
    text = head + "".join(parts) + TASKS
    edited, _ = with_hook(text)
    assert len(edited) == len(text) + len(LINE) + 1
    assert yaml.safe_load(edited) == {**yaml.safe_load(text), "on_render": "nbops.attach"}
    assert without_hook(edited) == text


@given(st.text(max_size=200))
def test_any_text_is_edited_rightly_or_refused(text: str) -> None:
    try:
        edited, _ = with_hook(text)
    except ConfigError:
        return
    assert yaml.compose(edited, Loader=yaml.SafeLoader) is not None
    assert without_hook(edited) == text or "on_render" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("- source: a.py\n", "is a list of tasks"),
        ("just text\n", "is no pipeline"),
        ("{tasks: []}\n", "by hand"),
        ("tasks: [\n", "line 2: not valid YAML"),
        ("<<<<<<< HEAD\ntasks: []\n=======\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("--- !!map\n&x\ntasks: []\n", "by hand"),
        ("tasks: \x00\n", "not valid YAML"),
    ],
)
def test_says_why_it_cannot(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_bytes(text.encode())
    with pytest.raises(ConfigError, match=words):
        attach_pipeline(path, ignore=(".nbops/",))
    assert path.read_bytes() == text.encode()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["pipeline.yaml"]


@pytest.mark.parametrize("hook", ["my.hook", "{dotted_path: my.hook, a: 1}", "\n  dotted_path: my.hook"])
def test_another_hook_is_left_and_explained(tmp_path: Path, hook: str) -> None:
    path = tmp_path / "pipeline.yaml"
    text = f"# x\non_render: {hook}\n{TASKS}"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"line 2: `on_render` calls 'my.hook' already.*nbops\.attach\(dag\)"):
        attach_pipeline(path)
    assert path.read_text() == text
    assert detach_pipeline(path).change == "none"


def test_an_empty_hook_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("on_render:\n" + TASKS)
    with pytest.raises(ConfigError, match="without a function"):
        attach_pipeline(path)


@pytest.mark.parametrize(
    "hook",
    [
        "on_render: nbops.attach   # governed\n",
        "on_render: 'nbops.attach'\n",
        "on_render: {dotted_path: nbops.attach}\n",
        "on_render:\n  dotted_path: nbops.attach\n",
        "on_render: nbops.attach\r\n",
    ],
)
def test_attached_already_however_it_is_written(tmp_path: Path, hook: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_bytes((f"# a\n{hook}\n# b\n{TASKS}").encode())
    edited = attach_pipeline(path)
    assert (edited.change, edited.line) == ("none", 2)
    assert detach_pipeline(path).line == 2
    assert path.read_bytes() == f"# a\n\n# b\n{TASKS}".encode()


@pytest.mark.parametrize("text", ["{on_render: nbops.attach, tasks: []}\n", "a: &h nbops.attach\non_render: *h\ntasks: []\n"])
def test_undo_refuses_what_has_no_line_of_its_own(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="by hand"):
        detach_pipeline(path)
    assert path.read_text() == text


def test_keeps_links_and_permissions(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real/p.yaml", tmp_path / "pipeline.yaml"
    real.write_text(TASKS)
    real.chmod(0o640)
    link.symlink_to(real)
    attach_pipeline(link)
    assert link.is_symlink()
    assert real.read_text().startswith(LINE)
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("before", "after", "added"),
    [
        (None, b".nbops/\nquarantine/\n", (".nbops/", "quarantine/")),
        (b"", b".nbops/\nquarantine/\n", (".nbops/", "quarantine/")),
        (b"a", b"a\n.nbops/\nquarantine/\n", (".nbops/", "quarantine/")),
        (b"a\r\n/.nbops\r\n", b"a\r\n/.nbops\r\nquarantine/\r\n", ("quarantine/",)),
        (b"quarantine\n.nbops/\n", b"quarantine\n.nbops/\n", ()),
        (b"\xff\xfe\n", b"\xff\xfe\n.nbops/\nquarantine/\n", (".nbops/", "quarantine/")),
    ],
)
def test_gitignore_gets_only_what_is_missing(tmp_path: Path, before: bytes | None, after: bytes, added: tuple[str, ...]) -> None:
    path = tmp_path / ".gitignore"
    if before is not None:
        path.write_bytes(before)
    assert ignore_in_git(path, (".nbops/", "quarantine/")) == added
    assert path.read_bytes() == after
