"""The database: endpoints, with their secrets sealed, and tokens, which operators have made; and the values that
plugins store with `session.storage`.

`records`, `token_records`, `naming` and `errors` import nothing heavy. `endpoint_store` imports SQLAlchemy, which takes
a third of a second: import it only where the store is opened, in the thread that opens it.
"""
