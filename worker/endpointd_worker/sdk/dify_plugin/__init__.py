"""The built-in `dify_plugin`: what an endpoint plugin needs when the official SDK is not in its environment.

It offers `Endpoint`, its documented other spelling `Enterpoint`, and what a conventional `main.py` imports.
"""

from dify_plugin.config.env import DifyPluginEnv
from dify_plugin.interfaces.endpoint import Endpoint
from dify_plugin.plugin import Plugin

Enterpoint = Endpoint

__all__ = ["DifyPluginEnv", "Endpoint", "Enterpoint", "Plugin"]
