"""The object that a conventional `main.py` runs."""

from dify_plugin.config.env import DifyPluginEnv


class Plugin:
    """endpointd loads the interfaces' sources itself and never runs a plugin's `main.py`; by hand it says so."""

    def __init__(self, config: DifyPluginEnv | None = None) -> None:
        self.config = config

    def run(self) -> None:
        raise SystemExit(
            "This plugin is run by the endpointd daemon: endpointd serve --plugins DIR, or endpointd check DIR"
        )
