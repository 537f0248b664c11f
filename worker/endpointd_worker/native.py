"""What the system itself offers of threads, locks and sockets.

Dify's SDK has gevent replace these in the standard library. This module is imported before that happens, and what it
has taken from there stays as it was: the wire is read by a thread of the system's, whatever the plugin's threads are.
"""

# Not `threading.RLock`, which is a function, and makes what gevent wants when it is called.
from _thread import RLock, allocate_lock, start_new_thread
from select import POLLIN, poll
from socket import socket

__all__ = ["POLLIN", "RLock", "allocate_lock", "poll", "socket", "start_new_thread"]
