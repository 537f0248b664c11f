"""Writing a folder of files: whole, or not at all."""

import os
from pathlib import Path

import pytest

from endpointd.errors import OperatorError
from endpointd.scaffold.writing import write_folder


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    files = {"one.txt": "1", "deep/two.txt": "2", "one.txt/three.txt": "a file cannot be a folder"}
    with pytest.raises(OperatorError, match=r"plugin cannot be written: .* mend this one") as caught:
        write_folder(tmp_path / "plugin", files)
    assert caught.value.code == "folder_unwritable"
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "plugin", {"one.txt": "1"})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_comes_in_between_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "mine.txt").write_text("mine")
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    with pytest.raises(OperatorError):
        write_folder(tmp_path / "plugin", {"one.txt": "1"})
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["plugin", "plugin/mine.txt"]


def test_it_is_hidden_until_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    write_text = Path.write_text

    def look(path: Path, text: str, encoding: str) -> int:
        seen.append([each.name for each in tmp_path.iterdir()])
        return write_text(path, text, encoding)

    monkeypatch.setattr(Path, "write_text", look)
    write_folder(tmp_path / "plugin", {"one.txt": "1", "two.txt": "2"})
    assert all(len(names) == 1 and names[0].startswith(".") for names in seen)
    assert [path.name for path in tmp_path.iterdir()] == ["plugin"]
