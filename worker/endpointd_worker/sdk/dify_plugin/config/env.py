"""The settings object of a conventional `main.py`."""

from typing import Any


class DifyPluginEnv:
    """Accepts any setting of the official class. None has an effect: the daemon's own clocks and limits apply."""

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - any setting of any version of the SDK
        for name, value in values.items():
            setattr(self, name, value)
