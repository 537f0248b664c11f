"""A worker whose plugin has Dify's SDK, which has gevent make greenlets of all threads.

The plugin's code, its requests included, runs in greenlets of the main thread, which gevent's hub switches between when
one of them waits. The hub reads the wire as well; where it does not come to that, a thread of the system's does. So a
plugin that computes for long delays its own requests, as in the original, but it still hears of cancelled ones, and its
worker still answers that it is there.
"""
