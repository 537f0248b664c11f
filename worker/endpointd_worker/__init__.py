"""The worker: one process that runs one plugin and answers the requests that the host relays to it.

It runs under the plugin's interpreter and needs nothing there but msgpack and werkzeug. Bottom up: `stdio` claims the
wire, `link` shares it between threads, `streams` are the requests under way, `pool` decides which thread does what,
`loader` turns a folder into classes, `environ`, `invoke` and `answer` make one request into one answer, `serve` joins
them.
"""
