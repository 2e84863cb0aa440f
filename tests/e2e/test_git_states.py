"""Repositories in every state: runs are recorded, commits touch nothing else, and what cannot be committed is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e_project import CHAIN, Project, ran_in


def test_in_the_middle_of_a_merge(built: Project) -> None:
    built.write("notes.md", "base\n")
    built.commit("base")
    built.git("checkout", "--quiet", "-b", "other")
    built.write("notes.md", "theirs\n")
    built.commit("theirs")
    built.git("checkout", "--quiet", "main")
    built.write("notes.md", "ours\n")
    built.commit("ours")
    merging = built.try_git("merge", "other")
    assert "CONFLICT" in merging
    head, status, index = built.commits()[0], built.git("status", "--porcelain", "notes.md"), built.git("ls-files", "--stage")

    built.edit("tasks.py", '{"rows": sum', '{"count": sum')
    result = built.ploomber("build").ok()
    during = built.latest()
    assert ran_in(during) == {"report"}
    assert "merge" in result.text
    assert built.commits()[0] == head
    assert built.git("status", "--porcelain", "notes.md") == status
    assert built.git("ls-files", "--stage") == index
    assert (built.root / ".git/MERGE_HEAD").exists()

    built.git("merge", "--abort")
    after = built.build()
    assert {f"reports/runs/{during.id}/run.json", f"reports/runs/{after.id}/run.json"} <= set(built.committed())


def test_on_a_detached_head(built: Project) -> None:
    built.git("checkout", "--quiet", "--detach")
    main = built.git("rev-parse", "main")
    run = built.build()
    assert run.git is not None
    assert run.git.branch is None
    assert built.git("rev-parse", "HEAD~1") == main
    assert built.git("rev-parse", "main") == main
    assert f"reports/runs/{run.id}/run.json" in built.committed()


def test_in_a_worktree(built: Project, tmp_path: Path) -> None:
    built.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    main = built.git("rev-parse", "main")
    tree = Project(root=tmp_path / "side", driver=built.driver)
    run = tree.build()
    assert run.git is not None
    assert run.git.branch == "side"
    assert all(path.startswith("reports/") for path in tree.committed())
    assert built.git("rev-parse", "main") == main
    assert built.git("status", "--porcelain") == ""


def test_hooks_that_fail_do_not_run(built: Project) -> None:
    for name in ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "reference-transaction"):
        hook = built.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\ntouch hook-ran\nexit 1\n")
        hook.chmod(0o755)
    commits = built.commits()
    built.build()
    assert built.commits()[1:] == commits
    assert not (built.root / "hook-ran").exists()


def test_a_repository_without_a_commit_or_an_author(make_project: Callable[..., Project], tmp_path: Path) -> None:
    project = make_project(CHAIN, repository=False)
    project.write(".gitignore", "output/\n")
    project.git("init", "--quiet", "--initial-branch=main")
    project.environment = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "")
    project.environment["HOME"] = str(tmp_path)
    run = project.build()
    assert run.verdict == "passed"
    assert len(project.commits()) == 1
    assert all(path.startswith("reports/") for path in project.committed())


def test_a_project_below_the_repositorys_root(make_project_in: Callable[..., Project], tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    project = make_project_in(outer / "pipelines", CHAIN, repository=False)
    project.git("-C", str(outer), "init", "--quiet", "--initial-branch=main")
    project.write(".gitignore", "output/\n")
    (outer / "elsewhere.txt").write_text("x")
    project.git("-C", str(outer), "add", "--all")
    project.git("-C", str(outer), "commit", "--quiet", "--message=first")
    (outer / "elsewhere.txt").write_text("y")
    project.build()
    assert all(path.startswith("pipelines/reports/") for path in project.committed())
    assert "elsewhere.txt" in project.git("-C", str(outer), "status", "--porcelain")


def test_commits_can_be_turned_off(built: Project) -> None:
    built.configure("commit = false")
    built.commit("off")
    commits = built.commits()
    run = built.build()
    assert built.commits() == commits
    assert (built.root / f"reports/runs/{run.id}/run.json").is_file()


def test_local_notes_are_never_offered_to_git(built: Project) -> None:
    assert built.git("status", "--porcelain") == ""
    built.git("add", "--all")
    assert not any(path.startswith(".nbops") for path in built.git("ls-files").splitlines())
