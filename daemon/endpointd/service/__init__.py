"""endpointd as a systemd service: the texts of its files, and installing and removing them."""
