"""The plugin's conventional entry point; servers that route by the manifest have no need of it."""

from dify_plugin import DifyPluginEnv, Plugin

plugin = Plugin(DifyPluginEnv())

if __name__ == "__main__":
    plugin.run()
