"""The plugins that are served: from a folder that was found (`following`, `intake`), over its release and versions, to
what is mounted where (`plugins`, `mounts`); and the operations on them."""
