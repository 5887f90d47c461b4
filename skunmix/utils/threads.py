"""Numbers of threads."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

from joblib import effective_n_jobs

_lock = threading.Lock()
_inside = 0
_n_threads_outside = None
_this_thread = threading.local()


def map_threads(function, items, n_jobs):
    """Return the results of the function, with the number of threads that `n_jobs` requests.

    Only the number of threads comes from joblib. Its pool takes longer to start (28 ms) than a
    small scene takes to solve.
    """
    n_threads = min(effective_n_jobs(n_jobs), len(items))
    if n_threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))


def torch_on_one_thread():
    """Return a context in which each operation of torch uses one thread.

    It does nothing if torch is not imported. The number of threads is restored at the end.
    """
    return _one_thread(sys.modules["torch"]) if "torch" in sys.modules else nullcontext()


def torch_beside_another():
    """Return a context for computing while another thread computes or reads.

    With two processors, the other thread uses the second: three threads take a third longer than
    two.
    """
    torch = sys.modules.get("torch")
    if torch is None or torch.get_num_threads() > 2:
        return nullcontext()
    return _one_thread(torch)


@contextmanager
def _one_thread(torch):
    """Restrict torch to one thread; only the outermost of nested contexts has an effect.

    Each thread has its own number, but starts with the last number that any thread has set. A
    thread that starts while another is in this context would therefore keep 1 as its number.
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
