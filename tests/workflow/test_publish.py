"""Write, audit, publish: what is visible after an interruption at every step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbops.errors import TaskError
from nbops.pipeline import Product, TaskSpec
from nbops.workflow import publish as module
from nbops.workflow.publish import missing_products, publish, recover, set_aside, stage, undeclared

STATE = {"run_id": "r1", "audited": "r1", "fingerprint": {}}


def task(*paths: str) -> TaskSpec:
    return TaskSpec(
        name="make/it <now>",
        kind="function",
        source=None,
        code=(),
        language="python",
        upstream=(),
        products=tuple(Product(key=f"p{n}", path=path, kind="file") for n, path in enumerate(paths)),
    )


@pytest.fixture
def root(tmp_path):
    (tmp_path / "output").mkdir()
    (tmp_path / "output/a.csv").write_text("old a")
    (tmp_path / "output/b.csv").write_text("old b")
    return tmp_path


def staged(root, *paths):
    staging = stage(root, run_id="r1", task=task(*paths))
    for path in staging.staged.values():
        Path(path).write_text("new " + Path(path).stem)
    return staging


def test_all_products_are_moved_and_the_state_is_written(root):
    staging = staged(root, "output/a.csv", "output/b.csv", "output/deep/c.csv")
    publish(staging, root=root, extra=[], state=(root / ".nbops/state/x.json", STATE))
    assert (root / "output/a.csv").read_text() == "new a"
    assert (root / "output/deep/c.csv").read_text() == "new c"
    assert json.loads((root / ".nbops/state/x.json").read_text()) == STATE
    assert not staging.folder.exists()


def test_killed_before_the_decision_nothing_is_visible(root):
    staged(root, "output/a.csv", "output/b.csv")
    assert recover(root) == []
    assert (root / "output/a.csv").read_text() == "old a"
    assert not list((root / ".nbops/staging").glob("*"))


@pytest.mark.parametrize("survive", [0, 1, 2])
def test_killed_while_moving_the_next_build_completes(root, monkeypatch, survive):
    staging = staged(root, "output/a.csv", "output/b.csv")
    real, calls = Path.replace, []

    def killed(self, target):
        if self.name in {"a.csv", "b.csv"}:
            if len(calls) >= survive:
                raise KeyboardInterrupt
            calls.append(self)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    if survive == 2:
        monkeypatch.setattr(module, "write_json", _die_on_state)
    with pytest.raises(KeyboardInterrupt):
        publish(staging, root=root, extra=[], state=(root / ".nbops/state/x.json", STATE))
    monkeypatch.undo()
    for name in ("a", "b"):
        assert (root / f"output/{name}.csv").read_text() in {f"old {name}", f"new {name}"}
    said = recover(root)
    assert len(said) == 1
    assert "completed after an interruption" in said[0]
    assert (root / "output/a.csv").read_text() == "new a"
    assert (root / "output/b.csv").read_text() == "new b"
    assert json.loads((root / ".nbops/state/x.json").read_text()) == STATE


_real_write_json = module.write_json


def _die_on_state(path, document, **options):
    if "state" in path.parts:
        raise KeyboardInterrupt
    _real_write_json(path, document, **options)


def test_a_torn_journal_decides_nothing(root):
    staging = staged(root, "output/a.csv")
    (staging.folder / "publish.json").write_text('{"moves": [["')
    assert recover(root) == []
    assert (root / "output/a.csv").read_text() == "old a"


def test_folders_are_products_too(root):
    (root / "output/model").mkdir()
    (root / "output/model/old.bin").write_text("old")
    staging = stage(root, run_id="r1", task=task("output/model"))
    Path(staging.staged["p0"]).mkdir()
    Path(staging.staged["p0"], "new.bin").write_text("new")
    publish(staging, root=root, extra=[], state=(root / ".nbops/state/x.json", STATE))
    assert [path.name for path in (root / "output/model").iterdir()] == ["new.bin"]


def test_a_path_that_cannot_be_written_says_so_and_loses_nothing(root):
    (root / "wall").write_text("a file where a folder should be")
    staging = staged(root, "output/a.csv", "wall/b.csv")
    with pytest.raises(TaskError, match="cannot be published"):
        publish(staging, root=root, extra=[], state=(root / ".nbops/state/x.json", STATE))
    assert (root / "output/a.csv").read_text() == "new a"
    assert "cannot be published" in recover(root)[0]
    (root / "wall").unlink()
    assert "completed" in recover(root)[0]
    assert (root / "wall/b.csv").read_text() == "new b"


def test_products_outside_the_project_are_staged_and_published(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.csv"
    staging = staged(root, str(outside))
    assert not outside.exists()
    publish(staging, root=root, extra=[], state=(root / ".nbops/state/x.json", STATE))
    assert outside.read_text() == "new x"


def test_what_was_not_made_and_what_was_not_declared(root):
    staging = stage(root, run_id="r1", task=task("output/a.csv", "output/folder"))
    assert missing_products(staging) == ["p0", "p1"]
    Path(staging.staged["p1"]).mkdir()
    Path(staging.staged["p1"], "inner.bin").write_text("belongs to the product")
    (staging.tree / "output/extra.png").write_text("beside it")
    assert missing_products(staging) == ["p0"]
    assert undeclared(staging) == [Path("output/extra.png")]


def test_what_failed_is_kept_for_a_while(root):
    for number in range(8):
        staging = stage(root, run_id=f"r{number}", task=task("output/a.csv"))
        Path(staging.staged["p0"]).write_text("bad")
        kept = set_aside(staging, root=root, run_id=f"r{number}")
        assert (kept / "tree/output/a.csv").read_text() == "bad"
    assert len(list((root / ".nbops/failed").iterdir())) == 5
    assert (root / "output/a.csv").read_text() == "old a"
