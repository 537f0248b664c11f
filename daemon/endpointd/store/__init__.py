"""What is kept in a database: what operators have made, which is endpoints, with their secrets sealed, and tokens; and
what plugins store with `session.storage`.

`records`, `token_records`, `naming` and `errors` need nothing. `endpoint_store` imports SQLAlchemy, which takes a third
of a second: import it where the store is opened, in the thread that opens it.
"""
