"""The operating system's threads, locks and sockets, also where gevent has replaced them in the standard library.

Dify's SDK has gevent patch the standard library. This module is imported before that, so its names keep the original
objects: the wire is read by a real thread even if the plugin's threads are greenlets.
"""

# Not `threading.RLock`: that is a function, which creates gevent's lock once the library is patched.
from _thread import RLock, allocate_lock, start_new_thread
from select import POLLIN, poll
from socket import socket

__all__ = ["POLLIN", "RLock", "allocate_lock", "poll", "socket", "start_new_thread"]
