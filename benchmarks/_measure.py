"""Time functions in turn, measure memory, and print tables."""

import math
import os
import platform
import threading
import time

import numpy as np
from threadpoolctl import threadpool_limits

try:
    import psutil
except ImportError:
    psutil = None


def time_in_turn(functions, repeats, threads, limit=math.inf):
    """Time functions in turn, so that other load on the machine affects all of them equally.

    Parameters
    ----------
    functions : dict of str to callable
        The functions.
    repeats : int
        Number of turns. One more turn comes first, and is not counted.
    threads : int
        Number of threads of BLAS and OpenMP.
    limit : float, default=inf
        No turn but the first two starts after this number of seconds.

    Returns
    -------
    seconds, processor : dict of str to ndarray of shape (n_turns,)
        Elapsed time, and processor time of all threads. On a busy machine the processor time is the
        better measure.
    results : dict
        The result of each function.
    """
    seconds = {name: [] for name in functions}
    processor = {name: [] for name in functions}
    begin = time.perf_counter()
    with threadpool_limits(threads):
        results = {name: function() for name, function in functions.items()}
        for turn in range(repeats):
            if turn and time.perf_counter() - begin > limit:
                break
            for name, function in functions.items():
                time.sleep(0.2)  # until the threads of the previous function have stopped spinning
                start, start_processor = time.perf_counter(), time.process_time()
                function()
                seconds[name].append(time.perf_counter() - start)
                processor[name].append(time.process_time() - start_processor)
    return (
        {name: np.array(values) for name, values in seconds.items()},
        {name: np.array(values) for name, values in processor.items()},
        results,
    )


class PeakMemory:
    """Context that samples the memory of this process, except pages of memory-mapped files."""

    def __enter__(self):
        self.before = self.peak = _private_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self):
        while not self._stop.wait(0.002):
            self.peak = max(self.peak, _private_bytes())

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
        self.peak = max(self.peak, _private_bytes())

    @property
    def megabytes(self):
        """The largest increase since the start."""
        return (self.peak - self.before) / 1e6


def _private_bytes():
    if psutil is None:
        return np.nan
    info = psutil.Process().memory_info()
    return info.rss - getattr(info, "shared", 0)


def print_table(title, columns, rows):
    """Print rows of strings under a title, with the first column aligned to the left."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    print(f"\n{title}")
    for row in [columns, ["-" * width for width in widths], *rows]:
        cells = [
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths))
        ]
        print("  ".join(cells).rstrip())


def describe_machine():
    """Return one line that describes the machine and the versions."""
    import numba
    import scipy
    import sklearn

    return (
        f"{platform.machine()}, {os.cpu_count()} processors; Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, "
        f"numba {numba.__version__}"
    )
