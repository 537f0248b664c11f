"""Backups: what a daemon keeps, as one file, and put back again."""
