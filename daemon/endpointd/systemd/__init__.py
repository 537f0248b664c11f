"""What the daemon and the service manager tell each other: sockets that are handed over, readiness, the watchdog."""
