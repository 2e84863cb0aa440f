"""Committing reports must leave everything else of a repository alone, in whatever state it is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import pytest

from nbops.errors import GuardError
from nbops.record.commit import CommitOutcome, commit_reports, git_state
from nbops.record.guard import cleared

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *arguments: str, check: bool = True, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path_factory, monkeypatch):
    """No configuration of the machine, and an identity."""
    configuration = tmp_path_factory.mktemp("home") / "gitconfig"
    configuration.write_text(
        '[user]\n name = Ann Lee\n email = ann@example.com\n[init]\n defaultBranch = main\n[protocol "file"]\n allow = always\n'
    )
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def write(path: Path, text: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path):
    """A repository with one commit."""
    project = tmp_path / "shop"
    project.mkdir()
    git(project, "init", "-q")
    write(project / "code.py", "a = 1\n")
    write(project / "other.py", "b = 1\n")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    return project


def commit(root: Path, **options) -> CommitOutcome:
    given = {
        "message": "nbops: run 1",
        "trailers": {"Run": "20261122T194156Z-1f0c9a"},
        "check": list,
        "lock_seconds": 0.3,
        **options,
    }
    return commit_reports(root, **given)


def sound(root: Path) -> None:
    assert git(root, "fsck", "--full", "--strict", "--no-dangling") == ""
    folder = Path(root, git(root, "rev-parse", "--git-dir"))
    assert not list(folder.glob("nbops-index-*"))
    assert not (folder / "index.lock").exists()


def changed_in(root: Path, revision: str = "HEAD") -> list[str]:
    shown = git(root, "-c", "core.quotepath=off", "show", "--pretty=", "--name-only", "-z", revision)
    return sorted(name for name in shown.split("\0") if name)


def test_a_run_is_committed_with_its_message_and_trailers(root):
    write(root / "reports/runs/r1/run.json", "{}\n")
    outcome = commit(
        root, message="nbops: run 1 passed\n\nAll is well.", trailers={"Run": "r1", "Verdict": "passed\nInjected: yes"}
    )
    assert outcome.status == "committed"
    assert outcome.files == 1
    assert git(root, "rev-parse", "HEAD") == outcome.commit
    assert (
        git(root, "log", "-1", "--format=%B") == "nbops: run 1 passed\n\nAll is well.\n\nRun: r1\nVerdict: passed Injected: yes"
    )
    assert git(root, "log", "-1", "--format=%(trailers:key=Run,valueonly)").strip() == "r1"
    assert changed_in(root) == ["reports/runs/r1/run.json"]
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "reflog", "-1", "--format=%gs") == "commit (nbops): nbops: run 1 passed"
    sound(root)


@pytest.mark.parametrize(("setting", "tight"), [(None, True), ("core.looseCompression", False), ("core.compression", False)])
def test_objects_are_compressed_as_well_as_can_be_unless_the_user_chose(root, setting, tight):
    text = "".join(f"{number * number % 9973},{number % 7}\n" for number in range(20_000))
    write(root / "reports/runs/r1/run.json", text)
    git(root, "config", "gc.auto", "0")  # nothing is packed
    if setting:
        git(root, "config", setting, "1")
    assert commit(root).status == "committed"
    name = git(root, "rev-parse", "HEAD:reports/runs/r1/run.json")
    size = (root / ".git/objects" / name[:2] / name[2:]).stat().st_size
    best, quick = (len(zlib.compress(f"blob {len(text)}\0{text}".encode(), level)) for level in (9, 1))
    assert (abs(size - best) < abs(size - quick)) == tight


def test_the_users_index_and_work_tree_stay(root):
    write(root / "code.py", "a = 2\n")
    git(root, "add", "code.py")
    write(root / "code.py", "a = 3\n")  # staged, and changed again
    write(root / "other.py", "b = 2\n")  # not staged
    write(root / "new.py", "c = 1\n")
    write(root / "intended.py", "d = 1\n")
    git(root, "add", "-N", "intended.py")
    write(root / "untracked.py")
    git(root, "add", "new.py")
    git(root, "rm", "-q", "--cached", "other.py")
    git(root, "update-index", "--assume-unchanged", "code.py")
    before = git(root, "ls-files", "--stage", "-v", "--debug")
    status = git(root, "status", "--porcelain=v2")
    write(root / "reports/index.html")
    assert commit(root).status == "committed"
    assert git(root, "status", "--porcelain=v2") == status
    after = [block for block in git(root, "ls-files", "--stage", "-v").splitlines() if "reports/" not in block]
    assert after == [line for line in before.splitlines() if "\t" in line and not line.startswith(" ")]
    assert git(root, "show", ":code.py") == "a = 2"
    assert (root / "code.py").read_text() == "a = 3\n"
    assert changed_in(root) == ["reports/index.html"]
    sound(root)


def test_nothing_to_commit(root):
    assert commit(root).status == "nothing"
    write(root / "reports/index.html")
    first = commit(root)
    again = commit(root)
    assert (again.status, again.commit) == ("nothing", first.commit)
    assert git(root, "rev-list", "--count", "HEAD") == "2"


def test_removed_and_changed_files_are_taken(root):
    old = write(root / "reports/runs/r1/index.html", "old\n")
    index = write(root / "reports/index.html", "1\n")
    commit(root)
    old.unlink()
    index.write_text("2\n")
    outcome = commit(root)
    assert outcome.files == 2
    assert git(root, "ls-tree", "-r", "--name-only", "HEAD", "reports") == "reports/index.html"
    assert git(root, "status", "--porcelain") == ""
    shutil.rmtree(root / "reports")
    assert commit(root).status == "committed"
    assert git(root, "ls-tree", "-r", "--name-only", "HEAD", "reports") == ""
    assert git(root, "status", "--porcelain") == ""


def test_a_file_in_a_folder(root):
    path = root / "reports/incidents/a.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert commit(root, files=[path]).files == 1


def test_only_some_files(root):
    one, two = write(root / "reports/one.html"), write(root / "reports/two.html")
    outcome = commit(root, files=[one, Path("reports/gone.html"), root / "code.py"])
    assert outcome.files == 1
    assert changed_in(root) == ["reports/one.html"]
    assert git(root, "status", "--porcelain") == "?? reports/two.html"
    one.unlink()
    assert commit(root, files=[one, two]).files == 2
    assert commit(root, files=[]).status == "nothing"


def test_junk_is_left_out_and_ignored_reports_are_not(root):
    write(root / ".gitignore", "reports/\n*.html\n")
    for name in ("index.html", ".DS_Store", "runs/r1/.run.json.x.tmp", "runs/.ipynb_checkpoints/a.ipynb", "runs/r1/Thumbs.db"):
        write(root / "reports" / name)
    write(root / "reports/ünï cödé/[a]*?.html")
    assert commit(root).status == "committed"
    assert changed_in(root) == ["reports/index.html", "reports/ünï cödé/[a]*?.html"]
    assert git(root, "status", "--porcelain") == "?? .gitignore"
    sound(root)


def test_a_project_below_the_top(root):
    project = root / "teams/data & ops/shop"
    write(project / "reports/index.html")
    write(root / "reports/index.html")
    known = cleared([write(project / "reports/known.html")], root=project, check=list)
    seen = []
    assert commit(project, check=seen.extend, cleared=known).status == "committed"
    assert changed_in(root) == ["teams/data & ops/shop/reports/index.html", "teams/data & ops/shop/reports/known.html"]
    assert seen == [("reports/index.html", b"x\n")]


def test_what_was_cleared_is_not_checked_again_unless_it_changed(root):
    write(root / "reports/index.html", "<p>one</p>")
    write(root / "reports/run.html", "<p>two</p>")
    write(root / "reports/other.html", "<p>three</p>")
    known = cleared([root / "reports/index.html", root / "reports/run.html"], root=root, check=list)
    assert known["reports/run.html"] == git(root, "hash-object", "reports/run.html").strip()
    write(root / "reports/run.html", "<p>2</p>")
    seen: list[tuple[str, bytes]] = []
    assert commit(root, check=seen.extend, cleared=known).status == "committed"
    assert sorted(seen) == [("reports/other.html", b"<p>three</p>"), ("reports/run.html", b"<p>2</p>")]


def test_nothing_is_cleared_where_something_was_found(root):
    def check(files: object) -> None:
        list(files)  # type: ignore[call-overload]
        raise GuardError("private")

    write(root / "reports/index.html", "<p>one</p>")
    files = [root / "reports/index.html"]
    assert cleared(files, root=root, check=check) == {}
    assert cleared([*files, root / "reports/gone.html"], root=root, check=list) == {}


def test_detached_head(root):
    git(root, "checkout", "-q", "--detach")
    write(root / "reports/index.html")
    outcome = commit(root)
    assert git(root, "rev-parse", "HEAD") == outcome.commit
    assert git(root, "rev-parse", "main") != outcome.commit
    assert git(root, "symbolic-ref", "-q", "HEAD", check=False) == ""
    sound(root)


def test_the_first_commit_of_a_repository(tmp_path):
    git(tmp_path, "init", "-q")
    write(tmp_path / "code.py")
    git(tmp_path, "add", "code.py")
    write(tmp_path / "reports/index.html")
    assert commit(tmp_path).status == "committed"
    assert git(tmp_path, "ls-tree", "-r", "--name-only", "HEAD") == "reports/index.html"
    assert git(tmp_path, "status", "--porcelain") == "A  code.py"
    assert commit(tmp_path).status == "nothing"
    sound(tmp_path)


def test_worktree_and_submodule(root, tmp_path):
    git(root, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    write(tmp_path / "side/reports/index.html")
    outcome = commit(tmp_path / "side")
    assert git(root, "rev-parse", "side") == outcome.commit
    assert git(root, "rev-list", "--count", "main") == "1"
    assert git(tmp_path / "side", "status", "--porcelain") == ""
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", str(root), "shop")
    write(outer / "shop/reports/index.html")
    assert commit(outer / "shop").status == "committed"
    assert git(outer / "shop", "status", "--porcelain") == ""
    sound(outer / "shop")


def test_no_hook_runs_and_nothing_is_signed(root):
    for name in ("pre-commit", "commit-msg", "post-commit", "post-index-change", "reference-transaction", "prepare-commit-msg"):
        hook = write(root / ".git/hooks" / name, "#!/bin/sh\ntouch ../hook-ran ./hook-ran\nexit 1\n")
        hook.chmod(0o755)
    fsmonitor = write(root / ".git/hooks/monitor", "#!/bin/sh\ntouch hook-ran\nexit 1\n")
    fsmonitor.chmod(0o755)
    git(root, "config", "core.fsmonitor", ".git/hooks/monitor")
    git(root, "config", "commit.gpgsign", "true")
    git(root, "config", "gpg.program", "/bin/false")
    write(root / "reports/index.html")
    assert commit(root).status == "committed"
    assert not (root / "hook-ran").exists()
    assert git(root, "cat-file", "commit", "HEAD").count("gpgsig") == 0


def test_variables_of_a_hook_are_not_followed(root, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    write(root / "reports/index.html")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    outcome = commit(root)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_LITERAL_PATHSPECS"):
        monkeypatch.delenv(name)
    assert git(root, "rev-parse", "HEAD") == outcome.commit


def test_without_an_identity_nbops_commits_and_says_so(root, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    write(root / "reports/index.html")
    outcome = commit(root)
    assert outcome.status == "committed"
    assert "user.name" in outcome.message
    assert git(root, "log", "-1", "--format=%an <%ae> %cn <%ce>") == "nbops <nbops@localhost> nbops <nbops@localhost>"


def _conflict(root: Path) -> None:
    git(root, "checkout", "-qb", "side")
    write(root / "code.py", "a = 'side'\n")
    git(root, "commit", "-qam", "side")
    git(root, "checkout", "-q", "main")
    write(root / "code.py", "a = 'main'\n")
    git(root, "commit", "-qam", "main")


@pytest.mark.parametrize(
    ("begin", "what"),
    [
        (["merge", "side"], "a merge"),
        (["merge", "--no-commit", "--no-ff", "-s", "ours", "side"], "a merge"),
        (["rebase", "side"], "a rebase"),
        (["rebase", "--apply", "side"], "a rebase"),
        (["cherry-pick", "side"], "a cherry-pick"),
        (["revert", "--no-commit", "HEAD"], "a revert"),
    ],
)
def test_in_the_middle_of_something_nothing_is_committed(root, begin, what):
    _conflict(root)
    git(root, *begin, check=False)
    write(root / "reports/index.html")
    head, status = git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")
    outcome = commit(root)
    assert outcome.status == "unsafe_state"
    assert what in outcome.message
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")) == (head, status)
    git(root, begin[0], "--abort")
    assert commit(root).status == "committed"


def test_conflicts_of_a_stash_and_git_am(root, tmp_path):
    write(root / "code.py", "a = 'stash'\n")
    git(root, "stash", "-q")
    write(root / "code.py", "a = 'main'\n")
    git(root, "commit", "-qam", "main")
    git(root, "stash", "pop", "-q", check=False)
    write(root / "reports/index.html")
    assert "conflicts" in commit(root).message
    git(root, "reset", "-q", "--hard")
    git(root, "format-patch", "-q", "-1", "-o", str(tmp_path / "patches"))
    git(root, "reset", "-q", "--hard", "HEAD^")
    write(root / "code.py", "a = 'x'\n")
    git(root, "commit", "-qam", "x")
    git(root, "am", "-q", *map(str, (tmp_path / "patches").iterdir()), check=False)
    assert commit(root).status == "unsafe_state"


def test_a_bisect_is_no_obstacle(root):
    _conflict(root)
    git(root, "bisect", "start", "HEAD", "HEAD~1")
    write(root / "reports/index.html")
    assert commit(root).status == "committed"


def test_a_held_index_is_waited_for_and_then_left_alone(root):
    write(root / "reports/index.html")
    lock = write(root / ".git/index.lock", "")
    outcome = commit(root)
    assert outcome.status == "unsafe_state"
    assert "index.lock" in outcome.message
    assert lock.exists()
    lock.unlink()
    assert commit(root).status == "committed"


def test_a_branch_that_moves_meanwhile(root):
    moves = []

    def check(files):
        if len(moves) < 2:
            moves.append(1)
            git(root, "commit", "-q", "--allow-empty", "-m", "somebody else")

    write(root / "reports/index.html")
    outcome = commit(root, check=check)
    assert outcome.status == "committed"
    assert git(root, "log", "--format=%s") == "nbops: run 1\nsomebody else\nsomebody else\nfirst"
    assert git(root, "status", "--porcelain") == ""


def test_a_branch_that_never_stands_still(root):
    write(root / "reports/index.html")
    outcome = commit(root, check=lambda files: git(root, "commit", "-q", "--allow-empty", "-m", "somebody else"))
    assert outcome.status == "failed"
    assert "again and again" in outcome.message


def test_what_the_guard_refuses_is_not_committed(root):
    write(root / "reports/index.html", "secret\n")
    head = git(root, "rev-parse", "HEAD")

    def check(files):
        assert dict(files) == {"reports/index.html": b"secret\n"}
        raise GuardError("no")

    with pytest.raises(GuardError):
        commit(root, check=check)
    assert git(root, "rev-parse", "HEAD") == head
    assert git(root, "status", "--porcelain") == "?? reports/"
    sound(root)


def test_what_was_staged_under_reports_is_replaced(root):
    path = write(root / "reports/index.html", "staged\n")
    git(root, "add", "reports")
    path.write_text("on disk\n")
    assert commit(root).status == "committed"
    assert git(root, "show", "HEAD:reports/index.html") == "on disk"
    assert git(root, "status", "--porcelain") == ""


def test_an_index_that_a_killed_run_left_behind_is_mended(root):
    write(root / "reports/index.html")
    commit(root)
    git(root, "rm", "-rq", "--cached", "reports")
    assert commit(root).status == "nothing"
    assert git(root, "status", "--porcelain") == ""


def test_no_repository_no_git_and_a_bare_one(tmp_path, monkeypatch):
    write(tmp_path / "plain/reports/index.html")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    outcome = commit(tmp_path / "plain")
    assert outcome.status == "no_repository"
    assert "git init" in outcome.message
    assert git_state(tmp_path / "plain") is None
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    assert commit(tmp_path / "bare.git").status == "no_repository"
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = commit(tmp_path / "plain")
    assert outcome.status == "no_repository"
    assert "not installed" in outcome.message
    assert git_state(tmp_path / "plain") is None


def test_shallow_clone_line_ends_filters_and_split_index(root, tmp_path):
    _conflict(root)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", root.as_uri(), str(shallow))
    git(shallow, "config", "core.autocrlf", "true")
    git(shallow, "config", "core.safecrlf", "true")
    git(shallow, "update-index", "--split-index")
    git(shallow, "update-index", "--untracked-cache", check=False)
    write(shallow / ".gitattributes", "*.png filter=lfs\n")
    git(shallow, "config", "filter.lfs.clean", "no-such-program %f")
    git(shallow, "config", "filter.lfs.required", "true")
    write(shallow / "reports/plot.png")
    (shallow / "reports/page.html").write_bytes(b"one\r\ntwo\r\n")
    outcome = commit(shallow)
    assert outcome.status == "committed", outcome.message
    assert changed_in(shallow) == ["reports/page.html", "reports/plot.png"]
    assert git(shallow, "-c", "core.autocrlf=false", "cat-file", "-s", "HEAD:reports/page.html") == "8"
    sound(shallow)


@pytest.mark.parametrize("sparse_index", [False, True])
@pytest.mark.parametrize("with_reports", [False, True])
def test_a_sparse_checkout_loses_nothing(root, sparse_index, with_reports):
    write(root / "reports/runs/r1/run.json")
    write(root / "src/a.py")
    write(root / "docs/b.md")
    git(root, "add", ".")
    git(root, "commit", "-qm", "more")
    flag = "--sparse-index" if sparse_index else "--no-sparse-index"
    git(root, "sparse-checkout", "init", "--cone", flag)
    git(root, "sparse-checkout", "set", "src", *(["reports/runs/r1"] if with_reports else []))
    assert (root / "reports/runs/r1/run.json").exists() == with_reports
    write(root / "reports/runs/r2/run.json")
    outcome = commit(root)
    assert outcome.status == "committed", outcome.message
    assert changed_in(root) == ["reports/runs/r2/run.json"]
    assert git(root, "ls-tree", "-r", "--name-only", "HEAD").splitlines() == [
        "code.py", "docs/b.md", "other.py", "reports/runs/r1/run.json", "reports/runs/r2/run.json", "src/a.py"
    ]  # fmt: skip
    assert not (root / "docs/b.md").exists()
    assert git(root, "diff", "--cached", "--name-only") == ""
    sound(root)


def test_reports_that_are_a_link_are_refused(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (root / "reports").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in commit(root).message


def test_a_broken_repository_is_said(root):
    write(root / "reports/index.html")
    for path in (root / ".git/objects").rglob("*"):
        if path.is_file():
            path.chmod(stat.S_IRUSR | stat.S_IWUSR)
            path.write_bytes(b"rubbish")
    outcome = commit(root)
    assert outcome.status == "failed"
    assert "next run" in outcome.message


def test_state_of_the_code(root):
    state = git_state(root)
    assert state is not None
    assert (state.commit, state.branch, state.dirty, state.changed_files) == (git(root, "rev-parse", "HEAD"), "main", False, 0)
    write(root / "reports/index.html")
    assert git_state(root) == state
    write(root / "new ü.py")
    write(root / "code.py", "changed\n")
    dirty = git_state(root)
    assert dirty is not None
    assert (dirty.dirty, dirty.changed_files) == (True, 2)
    git(root, "checkout", "-q", "--detach")
    detached = git_state(root)
    assert detached is not None
    assert detached.branch is None


def test_state_before_the_first_commit(tmp_path):
    git(tmp_path, "init", "-q")
    state = git_state(tmp_path)
    assert state is not None
    assert (state.commit, state.branch, state.dirty) == (None, "main", False)


KILLER = """\
#!/bin/sh
count=$(($(cat {counter}) + 1))
echo $count > {counter}
if [ $count = {at} ] && [ {before} = True ]; then kill -9 $PPID; exit 1; fi
{git} "$@"
code=$?
if [ $count = {at} ]; then kill -9 $PPID; fi
exit $code
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_at_any_step_the_repository_is_sound(root, tmp_path):
    """Kill the process before or after each of its calls of git, then look, then commit again."""
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from nbops.record.commit import commit_reports
        print(commit_reports(Path(sys.argv[1]), message="nbops: run", trailers={}, check=list).status)
        """
    )
    counter, tools = tmp_path / "count", tmp_path / "tools"
    tools.mkdir()
    real = shutil.which("git")
    write(root / "code.py", "a = 'staged'\n")
    git(root, "add", "code.py")
    finished = False
    at = 0
    while not finished:
        at += 1
        write(root / "reports/runs" / f"r{at}" / "run.json", f"{at}\n")
        counter.write_text("0")
        before = at % 2 == 0  # killing after a call is much like killing before the next
        write(tools / "git", KILLER.format(counter=counter, at=at, before=before, git=real)).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", program, str(root)],
            env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        finished = done.stdout.strip() == "committed"
        assert finished or done.returncode == -9, done.stderr
        assert git(root, "fsck", "--full", "--strict", "--no-dangling") == ""
        assert not (root / ".git/index.lock").exists()
        assert git(root, "show", ":code.py") == "a = 'staged'"
        assert git(root, "diff", "--cached", "--name-only", "--diff-filter=DMR", "--", "reports") == ""  # no commit is undone
        assert commit(root).status in ("committed", "nothing")
        assert git(root, "status", "--porcelain") == "M  code.py"
        sound(root)
    assert at > 10  # it went through all the calls
    assert len(git(root, "ls-tree", "-r", "--name-only", "HEAD", "reports").splitlines()) == at


def test_our_index_stands_in_for_the_users_only_where_that_was_heads(root):
    write(root / "reports/index.html", "1")
    index = root / ".git/index"
    index.chmod(0o660)
    assert commit(root).status == "committed"
    assert stat.S_IMODE(index.stat().st_mode) == 0o660
    assert git(root, "status", "--porcelain") == ""
    assert not [*(root / ".git").glob("nbops-index-*"), *(root / ".git").glob("*.lock")]
    write(root / "code.py", "a = 2\n")
    git(root, "add", "code.py")
    write(root / "reports/index.html", "2")
    assert commit(root).status == "committed"
    assert git(root, "status", "--porcelain") == "M  code.py"
    assert git(root, "diff", "--name-only", "HEAD~1", "HEAD") == "reports/index.html"


def test_what_is_staged_while_the_commit_is_made_stays_staged(root):
    write(root / "reports/index.html", "1")
    write(root / "code.py", "a = 2\n")

    def check(files):
        list(files)
        git(root, "add", "code.py")

    assert commit(root, check=check).status == "committed"
    assert git(root, "status", "--porcelain") == "M  code.py"


def test_the_lock_of_a_build_that_was_killed_is_taken_away(root):
    write(root / "reports/index.html", "1")
    left = write(root / ".git/nbops-index-999999999-x", "half")
    os.link(left, root / ".git/index.lock")
    assert commit(root, lock_seconds=0.0).status == "committed"
    write(root / "reports/index.html", "2")
    write(root / ".git/index.lock", "of somebody else")
    write(root / ".git/nbops-index-999999999-y", "other")
    assert commit(root, lock_seconds=0.0).status == "unsafe_state"
    assert (root / ".git/index.lock").read_text() == "of somebody else"


def test_what_git_does_not_know_is_counted_beside_the_reports(root):
    write(root / "reports/runs/1/run.json")
    write(root / ".gitignore", "ignored/\n")
    write(root / "ignored/x")
    git(root, "add", ".gitignore")
    git(root, "commit", "-qm", "ignore")
    (root / "empty").mkdir()
    assert not git_state(root).dirty
    write(root / "new/a.py")
    write(root / "ä b.py")
    (root / "other.py").unlink()
    assert git_state(root).changed_files == 3
