"""The sockets to which clients connect, their addresses and certificates, and the limits of the system for them."""
