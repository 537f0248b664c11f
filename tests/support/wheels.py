"""Packages for tests, made here: what is built of them needs no network, and does what a test wants."""

import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path

FOR_WORKERS = ("werkzeug", "markupsafe", "msgpack")
"""What the builder adds for a worker, with what that needs."""


def wheel(folder: Path, name: str, version: str, sources: Mapping[str, str], requires: Iterable[str] = ()) -> Path:
    """A wheel of Python files, for every interpreter."""
    info = f"{name}-{version}.dist-info"
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {one}" for one in requires),
    ]
    texts = {
        **sources,
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    texts[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*texts, f"{info}/RECORD"))
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in texts.items():
            archive.writestr(path, text)
    return target


def source_distribution(folder: Path, name: str, version: str, backend: str) -> Path:
    """One that is built by the Python code `backend`, which is run when a wheel is asked for. It finds `make`, which
    writes a wheel with the module `name`."""
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project += f'[project]\nname = "{name}"\nversion = "{version}"\n'
    head = f"""
import sys, zipfile
def make(folder, text="made = True"):
    path = "{name}-{version}-py3-none-any.whl"
    info = "{name}-{version}.dist-info"
    with zipfile.ZipFile(folder + "/" + path, "w") as archive:
        archive.writestr("{name}.py", text)
        archive.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        archive.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "/RECORD", "")
    return path
def build_wheel(folder, config_settings=None, metadata_directory=None):
"""
    body = "".join(f"    {line}\n" for line in (*backend.strip().splitlines(), "return make(folder)"))
    files = {
        "pyproject.toml": project,
        "backend.py": head + body,
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
    }
    target = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        for path, text in files.items():
            item = tarfile.TarInfo(f"{name}-{version}/{path}")
            item.size = len(text.encode())
            archive.addfile(item, io.BytesIO(text.encode()))
    return target


def repacked(folder: Path, name: str) -> Path:
    """A wheel of what is installed where the tests run."""
    found = distribution(name)
    files = found.files or []
    info = next(path.parts[0] for path in files if path.name == "WHEEL")
    tags = [
        line.removeprefix("Tag: ") for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag")
    ]
    target = folder / f"{info.removesuffix('.dist-info')}-{tags[0]}.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path in files:
            if ".." not in path.parts and path.suffix != ".pyc":
                archive.write(str(found.locate_file(path)), str(path))
    return target


def no_index(folder: Path) -> str:
    """The URL of an index without a package, made in `folder`: nothing is to come from the network."""
    folder.mkdir()
    return folder.as_uri()


def wheelhouse(folder: Path) -> Path:
    """A folder with what the builder adds for workers."""
    folder.mkdir()
    for name in FOR_WORKERS:
        repacked(folder, name)
    return folder
