"""Takes HTTP requests from clients to workers, and the answers back. Bottom up: `problems` and `heads` (pure), `http`
(uvicorn's protocol with limits), `clocks` (timeouts), `relay` (one request through one worker), `gateway` (the ASGI
application), `direct` (a faster path for most requests), `server`."""
