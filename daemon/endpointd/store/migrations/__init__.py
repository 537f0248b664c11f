"""Alembic's scripts: how the tables came to be as they are. Run by `endpointd.store.migrating`."""
