"""Reading and checking plugins: from a folder's YAML to a `Plugin`, or to findings its author can act on.

Pure: files are read through the protocol `files.PluginFiles`; nothing here touches a disk, a clock or a process.
"""
