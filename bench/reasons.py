"""Why goals are missed, by their keys. Shown where a goal is missed, and only there."""

REASONS: dict[str, str] = {}
