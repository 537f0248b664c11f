"""From a client's HTTP request to a worker and back. Bottom up: `problems` and `heads` (pure), `http` (the uvicorn
protocol with limits), `clocks`, `relay` (one request through one worker), `gateway` (the ASGI application),
`server`."""
