"""How Sphinx makes the pages of this directory: `make site`."""

import re

from sphinx.application import Sphinx

from endpointd import __version__

project = "endpointd"
author = "The endpointd maintainers"
version = release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["conf.py"]

# Headings are linked to by their text, as they are where the repository is read.
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = f"endpointd {release}"
html_copy_source = False
html_show_copyright = False

_OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./[^)]*\)")


def _without_links_to_the_repository(_: Sphinx, __: str, source: list[str]) -> None:
    """The pages stand without the sources that they name."""
    source[0] = _OUTSIDE.sub(r"\1", source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _without_links_to_the_repository)
