"""The object that a conventional `main.py` runs."""

from dify_plugin.config.env import DifyPluginEnv


class Plugin:
    """Exists so that a `main.py` can be imported. endpointd never runs it; `run` explains that to whoever does."""

    def __init__(self, config: DifyPluginEnv | None = None) -> None:
        self.config = config

    def run(self) -> None:
        raise SystemExit(
            "This plugin is run by the endpointd daemon: endpointd serve --plugins DIR, or endpointd check DIR"
        )
