"""Packages made of folders: what is in them, what is not, and always the same bytes."""

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from endpointd.errors import OperatorError
from endpointd.folders.ignoring import Ignoring
from endpointd.packages.limits import PackageLimits
from endpointd.packages.making import Made, make_package
from endpointd.packages.opening import unpack_package
from support.packages import LIMITS, everything_below, package_of
from support.plugins import write_plugin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_plugin(tmp_path / "work", "duck", {"a.py": "A = 1", "lib/b.py": "B = 2"}, [("GET", "/", "a.py")])


OWN = {"manifest.yaml", "group.yaml", "a.py", "lib/b.py"}


def made_of(folder: Path, limits: PackageLimits = LIMITS) -> Made:
    return make_package(folder, io.BytesIO(), limits)


def refusal(folder: Path, limits: PackageLimits = LIMITS) -> OperatorError:
    with pytest.raises(OperatorError) as refused:
        made_of(folder, limits)
    return refused.value


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_the_same_files_make_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = package_of(folder)
    other = tmp_path / "other"
    other.mkdir()
    for name in sorted(OWN, reverse=True):
        (other / name).parent.mkdir(exist_ok=True)
        (other / name).write_bytes((folder / name).read_bytes())
        (other / name).chmod(0o700)
        os.utime(other / name, (1, 1))
    (other / "empty").mkdir()

    assert package_of(other) == first
    (other / "a.py").write_text("A = 2")
    assert package_of(other) != first


def test_it_is_a_zip_of_files_in_order_that_unzip_likes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "duck.difypkg").write_bytes(package_of(folder))
    with zipfile.ZipFile(tmp_path / "duck.difypkg") as made:
        assert made.namelist() == sorted(OWN)
        assert {one.date_time for one in made.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    subprocess.run(["unzip", "-tq", "duck.difypkg"], cwd=tmp_path, check=True, capture_output=True)


def test_what_is_packed_is_unpacked(folder: Path, tmp_path: Path) -> None:
    (folder / "lib" / "b.py").chmod(0o755)
    target = tmp_path / "target"
    target.mkdir()
    opened = unpack_package(io.BytesIO(package_of(folder)), target, LIMITS, [])

    assert {name: (target / name).read_bytes() for name in everything_below(target)} == {
        name: (folder / name).read_bytes() for name in OWN
    }
    assert (target / "lib" / "b.py").stat().st_mode & 0o777 == 0o644
    assert opened.received.checksum == made_of(folder).checksum


def test_what_is_no_part_of_a_plugin_is_not_packed(folder: Path) -> None:
    write(folder, ".git/HEAD", ".venv/x", "lib/__pycache__/b.pyc", ".env", "old.difypkg", ".verification.dify.json")

    made = made_of(folder)
    assert set(made.files) == OWN
    assert set(made.left_out) == {".env", "old.difypkg", ".verification.dify.json"}


def test_patterns_and_their_negations(folder: Path) -> None:
    write(
        folder, "notes.md", "README.md", "docs/a.txt", "docs/keep.txt", "lib/c.log", "build/x", "lib/build/y", "z.log"
    )
    (folder / ".difyignore").write_text("# notes\n*.md\n!README.md\n*.log\n/build/\ndocs/*\n!docs/keep.txt\n!\n")

    made = made_of(folder)
    assert set(made.files) == OWN | {".difyignore", "README.md", "docs/keep.txt", "lib/build/y"}
    assert set(made.left_out) == {"notes.md", "lib/c.log", "z.log", "build", "docs/a.txt"}


def test_what_lies_in_a_folder_that_is_left_out_stays_out_as_in_git(folder: Path) -> None:
    write(folder, "docs/keep.txt")
    (folder / ".difyignore").write_text("docs/\n!docs/keep.txt\n")

    assert "docs/keep.txt" not in made_of(folder).files


NAMES = ["a.txt", "b.txt", "d/a.txt", "d/b.txt", "d/e/b.txt", "d/e/d/a.txt", "e/a.txt", "d-x/a.txt"]
PARTS = st.sampled_from(
    ["*", "a.txt", "b.txt", "d", "e", "*.txt", "?.txt", "[ab].txt", "d*", "*t*t", "*.*x*", "d/**/d", "d*/**/*.*t"]
)
PATTERNS = st.builds(
    lambda sign, root, parts, end: f"{sign}{root}{'/'.join(parts)}{end}",
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/", "**/"]),
    st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "/", "/**"]),
)
"""What people write; of "**" in stranger places git and the library think differently."""


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    write(tree, *NAMES)
    return tree


def ignored_by_git(tree: Path, lines: str) -> set[str]:
    (tree / ".git" / "info" / "exclude").write_text(lines)
    asked = ["git", "check-ignore", "--no-index", "--stdin"]
    done = subprocess.run(asked, cwd=tree, input="\n".join(NAMES), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return set(done.stdout.splitlines())


def ignored_here(lines: str) -> set[str]:
    ignoring = Ignoring.of(lines.encode())

    def is_out(name: str) -> bool:
        parts = name.split("/")
        folders = ["/".join(parts[:number]) for number in range(1, len(parts))]
        is_closed = any(ignoring.leaves_out(folder, is_folder=True) for folder in folders)
        return is_closed or ignoring.leaves_out(name, is_folder=False)

    return {name for name in NAMES if is_out(name)}


@settings(max_examples=150, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=4))
@example(["*", "!*/", "!a.txt"])
@example(["d/**", "!d/b.txt"])
@example(["*", "!d/"])
@example(["*/**", "!**/d/**"])
@example(["d/**/d/**/*t*t"])
@example(["[z-a]", "a.txt"])
def test_git_leaves_out_the_same(work_tree: Path, patterns: list[str]) -> None:
    lines = "\n".join(patterns)
    assert ignored_here(lines) == ignored_by_git(work_tree, lines)


def test_git_ignore_counts_where_there_is_no_other(folder: Path) -> None:
    write(folder, "x.log")
    (folder / ".gitignore").write_text("*.log")
    assert "x.log" not in made_of(folder).files
    (folder / ".difyignore").write_text("")
    assert "x.log" in made_of(folder).files


def test_what_is_secret_can_be_asked_for(folder: Path) -> None:
    write(folder, ".env")
    (folder / ".difyignore").write_text("!.env")

    assert ".env" in made_of(folder).files


def test_a_file_that_the_plugin_needs_must_not_be_left_out(folder: Path) -> None:
    (folder / ".difyignore").write_text("*.py")

    error = refusal(folder)
    assert (error.code, "a.py" in error.message, "ignore file" in error.message) == ("plugin_invalid", True, True)


def test_what_elsewhere_cannot_be_called_is_a_warning(folder: Path) -> None:
    assert "invoke_async" not in [one.code for one in made_of(folder).warnings]
    (folder / "a.py").write_text("class A:\n    async def _invoke(self, r, values, settings): ...\n")
    assert "invoke_async" in [one.code for one in made_of(folder).warnings]


def test_links_are_not_packed(folder: Path) -> None:
    (folder / "link").symlink_to("a.py")
    assert refusal(folder).code == "package_link"
    (folder / ".difyignore").write_text("/link")
    assert "link" not in made_of(folder).files


def test_names_that_no_package_may_have(folder: Path) -> None:
    write(folder, "A.py")

    assert refusal(folder).code == "package_unsafe"


def test_limits(folder: Path) -> None:
    assert refusal(folder, PackageLimits(files=3)).code == "package_too_large"
    assert refusal(folder, PackageLimits(size=500)).code == "package_too_large"


def test_a_file_that_shrinks_while_it_is_packed(folder: Path) -> None:
    write(folder, "large")
    os.truncate(folder / "large", 1024 * 1024)

    class Out(io.BytesIO):
        def write(self, data: object) -> int:
            os.truncate(folder / "large", 10)
            return super().write(data)  # type: ignore[arg-type]

    with pytest.raises(OperatorError, match="folder_changing"):
        make_package(folder, Out(), LIMITS)
