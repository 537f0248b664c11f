"""endpointd as a service of systemd: what its files say, and putting them in place."""
