"""Part of the built-in `dify_plugin`; the names are those of the official SDK."""
