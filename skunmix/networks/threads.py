"""Torch on one thread, for as long as it takes."""

import threading
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside = 0
_n_threads_outside = None
_this_thread = threading.local()


@contextmanager
def one_thread():
    """Let torch's operations run on one thread each, and restore the number at the end.

    The number is each thread's own, but one that first asks for it takes the last that was set
    anywhere: a thread that is born while another is inside would take 1 for its own. Of contexts
    within one another only the outermost does anything.
    """
    global _inside, _n_threads_outside
    if getattr(_this_thread, "inside", False):
        yield
        return
    with _lock:
        n_threads = torch.get_num_threads()
        if _inside == 0:
            _n_threads_outside = n_threads
        elif n_threads == 1:
            n_threads = _n_threads_outside
        _inside += 1
    _this_thread.inside = True
    try:
        torch.set_num_threads(1)
        yield
    finally:
        _this_thread.inside = False
        with _lock:
            _inside -= 1
            torch.set_num_threads(n_threads)
