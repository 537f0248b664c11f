"""The worker: one process that runs one plugin and answers the requests that the host relays to it.

It runs under the plugin's interpreter and needs only msgpack and werkzeug there. Bottom up: `stdio` takes the socket to
the host ("the wire"), `link` shares it between threads, `streams` are the requests in progress, `pool` decides which
thread runs what, `loader` imports the plugin's classes, `environ`, `invoke` and `answer` turn one request into one
answer, `serve` puts them together.
"""
