"""What operators have made, kept in a database: endpoints, with their secrets sealed, and tokens.

`records`, `token_records`, `naming` and `errors` need nothing. `endpoint_store` imports SQLAlchemy, which takes a third
of a second: import it where the store is opened, in the thread that opens it.
"""
