"""Environments: the interpreter and the packages that a plugin's workers run with. They are built by uv, and plugins
with equal requirements share one."""
