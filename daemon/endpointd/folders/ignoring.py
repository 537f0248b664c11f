"""`.difyignore`: the files of a folder that its author excludes from the plugin. Pure.

The patterns are those of `.gitignore`; those with `!` include something again. As there, the last pattern that matches
decides, and everything in an excluded folder is excluded.
"""

import re
from collections.abc import Iterable

from pathspec import GitIgnoreSpec

from endpointd.folders.leftout import MAX_IGNORE

_END = "ps_d"
"""In the library's regular expressions, the name of the group for the "/" after the name of a matching folder."""

_STAR, _FOLDERS, _FIRST_FOLDERS = "[^/]*", "(?:/.+)?", "(?:.+/)?"
"""The library's regular expressions for "*", "**", and "**" at the beginning of a pattern."""


class Ignoring:
    """The patterns in `lines`. A line that is not a valid pattern is ignored, as in git."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._patterns = [pattern for line in lines for pattern in _patterns_of(line)]

    @classmethod
    def of(cls, text: bytes, before: Iterable[str] = ()) -> "Ignoring":
        """Parse the content of an ignore file. `before` are patterns to put before those of the file."""
        return cls([*before, *text[:MAX_IGNORE].decode(errors="replace").splitlines()])

    def leaves_out(self, path: str, *, is_folder: bool) -> bool:
        """Whether `path`, relative to the plugin's folder, is excluded. The folders that contain it must not be."""
        name = f"{path}/" if is_folder else path
        decisive = (is_out for expression, is_out in reversed(self._patterns) if _fits(expression, name))
        return next(decisive, False)

    def leaves_out_file(self, path: str) -> bool:
        """Whether a file is excluded, by itself or because a folder that contains it is."""
        folders = [path[:place] for place, character in enumerate(path) if character == "/"]
        return any(self.leaves_out(folder, is_folder=True) for folder in folders) or self.leaves_out(
            path, is_folder=False
        )


def _patterns_of(line: str) -> list[tuple[re.Pattern[str], bool]]:
    """The patterns of one line, each with whether a match is excluded. They are matched here against each folder
    separately: the library's own matching of whole paths confuses a match of a parent with one of the path itself,
    which breaks negated patterns."""
    try:
        patterns = GitIgnoreSpec.from_lines([line]).patterns
    except (ValueError, re.error):
        return []
    return [(_once(one.regex), one.include) for one in patterns if one.regex is not None and one.include is not None]


def _once(expression: re.Pattern[str]) -> re.Pattern[str]:
    """The same expression without catastrophic backtracking, in which ten stars would block the process for years. If a
    star is followed by another one, it is sufficient to try the first place at which the text between them matches."""
    *parts, last = expression.pattern.split(_FOLDERS)
    if not parts:
        return re.compile(_stars_once(last))
    first, *others = [_stars_once(part) for part in parts]
    whole = f"(?>{first.replace(_FIRST_FOLDERS, '(?:.+?/)??')}(?=/))"
    whole += "".join(f"(?>(?:/.+?)??{part}(?=/))" for part in others)
    return re.compile(whole + _FOLDERS + _stars_once(last))


def _stars_once(part: str) -> str:
    """As `_once`, for the stars in a part of the expression without "**"."""
    before, *behind = part.split(_STAR)
    middle = "".join(f"(?>[^/]*?{one})" for one in behind[:-1])
    return before + middle + "".join(_STAR + one for one in behind[-1:])


def _fits(expression: re.Pattern[str], name: str) -> bool:
    """Whether the expression matches the name itself; not only a folder that contains it, or only the content of the
    folder that it names."""
    if _END not in expression.groupindex:
        # It ends with "/**". Without its own "/", a folder does not match as the one whose content is meant.
        return expression.search(name.removesuffix("/")) is not None
    return any(found[_END] is None or found.end(_END) == len(name) for found in expression.finditer(name))
