"""The log of the daemon (`logs`, and how and where it is written), and the recent lines of each plugin (`journal`)."""
