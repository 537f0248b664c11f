"""The host's end of the wire to one worker (`channel`), with the requests that are at the worker (`exchange`)."""
