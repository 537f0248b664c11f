"""What Alembic runs: the steps, on the connection and in the transaction of `endpointd.store.migrating`."""

from alembic import context

from endpointd.store.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
