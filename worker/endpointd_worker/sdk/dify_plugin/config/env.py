"""The settings object of a conventional `main.py`."""

from typing import Any


class DifyPluginEnv:
    """Takes what the official one takes. The daemon's own clocks and limits apply, so nothing of it has an effect."""

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - any setting of any version of the SDK
        for name, value in values.items():
            setattr(self, name, value)
