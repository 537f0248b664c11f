"""What the daemon tells of itself to those who watch over it: readiness and metrics."""
