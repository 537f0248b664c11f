"""The folders of plugins on the disk: which files belong to the plugin, and when something in them has changed."""
