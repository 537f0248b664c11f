"""Adapts Dify's own SDK (`dify_plugin` from PyPI), which talks to its daemon in lines of JSON, to our wire.

Uses only what all versions of the SDK have: a session is made with a reader and a writer, which can be subclassed.
"""
