"""Static files through a real daemon: whole, in part, unchanged, and never from outside the folder."""

import http.client
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import httpx
import pytest

from endpointd.testing import DaemonStarter, RunningDaemon

FOLDER = Path(__file__).parents[1]
PUBLIC = FOLDER / "public"
DIGITS = (PUBLIC / "digits.txt").read_bytes()


def connect(daemon: RunningDaemon) -> httpx.Client:
    return httpx.Client(base_url=f"{daemon.url}/e/files/", timeout=10, trust_env=False)


@pytest.fixture
def daemon(start_daemon: DaemonStarter) -> RunningDaemon:
    return start_daemon.one(FOLDER)


@pytest.fixture
def files(daemon: RunningDaemon) -> Iterator[httpx.Client]:
    with connect(daemon) as client:
        yield client


def copy_with_cache_seconds(target: Path, value: str) -> Path:
    """The plugin in a folder of the same name, with another default for its setting."""
    shutil.copytree(FOLDER, target, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    group = target / "group" / "files.yaml"
    text = group.read_text(encoding="utf-8")
    assert 'default: "3600"' in text
    group.write_text(text.replace('default: "3600"', f'default: "{value}"'), encoding="utf-8")
    return target


def test_index_links_to_every_file(files: httpx.Client) -> None:
    links = [unescape(link) for link in re.findall(r'href="(\./[^"]+)"', files.get("").text)]
    served = {files.get(link).content for link in links}
    assert len(links) == 4
    assert served == {path.read_bytes() for path in PUBLIC.rglob("*") if path.is_file()}


def test_file_comes_with_its_type_and_validators(files: httpx.Client) -> None:
    answer = files.get("pictures/rainbow.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["accept-ranges"] == "bytes"
    assert {"etag", "last-modified"} <= set(answer.headers)


def test_head_tells_all_but_the_content(files: httpx.Client) -> None:
    whole, head = files.get("digits.txt"), files.head("digits.txt")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-length", "content-type", "etag", "last-modified"):
        assert head.headers[name] == whole.headers[name]


def test_unchanged_file_is_not_sent_again(files: httpx.Client) -> None:
    first = files.get("hello.txt")
    by_tag = files.get("hello.txt", headers={"If-None-Match": first.headers["etag"]})
    by_date = files.get("hello.txt", headers={"If-Modified-Since": first.headers["last-modified"]})
    changed = files.get("hello.txt", headers={"If-None-Match": '"another"'})
    assert [answer.status_code for answer in (by_tag, by_date, changed)] == [304, 304, 200]
    assert by_tag.content == by_date.content == b""
    assert by_tag.headers["etag"] == first.headers["etag"]


def test_range_is_a_part(files: httpx.Client) -> None:
    for asked, start, end in (("0-4", 0, 5), ("4990-", 4990, 5000), ("-7", 4993, 5000), ("4999-9999", 4999, 5000)):
        answer = files.get("digits.txt", headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 206, asked
        assert answer.content == DIGITS[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DIGITS)}"
        assert answer.headers["content-length"] == str(end - start)


def test_range_beyond_the_end_cannot_be_satisfied(files: httpx.Client) -> None:
    answer = files.get("digits.txt", headers={"Range": "bytes=5000-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */5000"


def test_range_of_another_version_gives_the_whole_file(files: httpx.Client) -> None:
    same = files.get("digits.txt").headers["etag"]
    for tag, status, content in ((same, 206, DIGITS[:5]), ('"another"', 200, DIGITS)):
        answer = files.get("digits.txt", headers={"Range": "bytes=0-4", "If-Range": tag})
        assert (answer.status_code, answer.content) == (status, content)


def test_what_is_no_file_is_not_found(files: httpx.Client) -> None:
    for name in ("missing.txt", "pictures", "pictures/", "hello.txt/more"):
        assert files.get(name).status_code == 404, name


def test_no_path_leads_out_of_the_folder(daemon: RunningDaemon) -> None:
    """Sent byte for byte, since clients tidy such paths up."""
    names = (
        "../manifest.yaml",
        "%2e%2e/manifest.yaml",
        "..%2fmanifest.yaml",
        "%2E%2E%2Fmanifest.yaml",
        "pictures/../../manifest.yaml",
        "pictures/..%2f..%2fmanifest.yaml",
        "..%5cmanifest.yaml",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "%00/../../manifest.yaml",
        f"{FOLDER}/manifest.yaml",
    )
    with closing(http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)) as connection:
        for name in names:
            connection.request("GET", f"/e/files/{name}")
            answer = connection.getresponse()
            answer.read()
            # 308: a doubled slash is first tidied up, and what it leads to is inside the folder again.
            assert answer.status in (308, 400, 404), name


def test_cache_time_is_the_settings(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    folder = copy_with_cache_seconds(tmp_path / "files", "0")
    with connect(start_daemon.one(folder)) as client:
        assert client.get("hello.txt").headers["cache-control"] == "no-cache, max-age=0"


def test_a_setting_that_is_no_number_is_explained_in_the_log(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon.one(copy_with_cache_seconds(tmp_path / "files", "soon"))
    with connect(daemon) as client:
        answer = client.get("hello.txt")
    assert answer.status_code == 500
    assert "soon" not in answer.text
    daemon.wait_for_log("write a whole number of seconds")
