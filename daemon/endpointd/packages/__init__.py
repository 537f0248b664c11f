"""Packages (`.difypkg`), which contain a plugin in one file: creating, signing, checking and unpacking them."""
