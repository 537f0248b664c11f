"""A new plugin's folder: what is in it, what it may be called, and how it is written."""
