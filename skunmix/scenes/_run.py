"""Processing of blocks by threads, processes or a cluster."""

import pickle
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from math import prod
from uuid import uuid4

from joblib import Parallel, delayed, effective_n_jobs, wrap_non_picklable_objects
from threadpoolctl import threadpool_limits

from ..utils.threads import torch_beside_another, torch_on_one_thread
from ._blocks import no_valid_pixel
from ._inspection import Inspection
from .io.windows import block_slices, memory_beside_chunks


def run_blocks(
    unmixer,
    read,
    mask,
    out,
    *,
    n_jobs,
    working_memory,
    progress,
    chunk_shape=None,
    chunk_bytes=0,
):
    """Write the abundances of a scene, which is read by blocks, into an array.

    Parameters
    ----------
    unmixer : BlockUnmixer
    read : callable
        Returns the stored values, bands last, for a tuple of slices.
    mask : ndarray of bool or None
    out : ndarray of shape (…, n_endmembers)
    n_jobs, working_memory, progress
        As in `unmix`.
    chunk_shape : tuple of int, default=None
        Shape of a chunk of the stored scene.
    chunk_bytes : int, default=0
        Size of a chunk, which is in memory while any part of it is read.

    Raises
    ------
    ValueError
        If no pixel is valid, or a chunk does not fit into `working_memory`.
    """
    n_jobs = effective_n_jobs(n_jobs)
    in_flight = max(n_jobs, 2)
    chunks = {"the scene": chunk_bytes}
    max_pixels = unmixer.pixels_in(memory_beside_chunks(chunks, working_memory, in_flight))
    blocks = block_slices(out.shape[:-1], max_pixels, chunk_shape)

    def run(block):
        return unmixer.unmix(read(block), None if mask is None else mask[block])

    results = two_at_once(run, blocks) if n_jobs == 1 else by_threads(run, blocks, n_jobs)
    any_valid, seen = False, Inspection()
    with progress_bar(prod(out.shape[:-1]), 0, progress) as advance:
        for block, (abundances, some, inspection) in results:
            out[block] = abundances.reshape(out[block].shape)
            any_valid = any_valid or some
            seen += inspection
            advance(len(abundances))
    if not any_valid:
        raise seen.error or no_valid_pixel(prod(out.shape[:-1]), seen.n_failed)
    seen.warn(unmixer.estimator, stacklevel=4)


def two_at_once(function, blocks):
    """Yield each block with the result of the function, in order, by two threads.

    One can read while the other computes. An estimator may use more threads.
    """

    def run(block):
        with torch_beside_another():
            return block, function(block)

    with ThreadPoolExecutor(2) as pool:
        coming = deque()
        for block in blocks:
            coming.append(pool.submit(run, block))
            if len(coming) > 2:  # one more than threads, so that none is idle
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def by_threads(function, blocks, n_jobs):
    """Yield each block with the result of the function, by `n_jobs` threads, in any order."""

    def run(block):
        with torch_on_one_thread():
            return block, function(block)

    # each thread has its own block, so that BLAS needs no further threads
    with threadpool_limits(1, user_api="blas"):
        yield from Parallel(n_jobs, backend="threading", return_as="generator_unordered")(
            delayed(run)(block) for block in blocks
        )


@contextmanager
def progress_bar(n_pixels, n_done, show):
    """Return a context with a function that advances a progress bar, if tqdm is installed."""
    if not show or not find_spec("tqdm"):
        yield lambda n_pixels: None
        return
    from tqdm.auto import tqdm

    options = {"unit": "px", "unit_scale": True, "delay": 1, "desc": "unmix"}
    with tqdm(total=n_pixels, initial=n_done, **options) as bar:
        yield bar.update


def by_processes(path, task, windows, numbers, n_jobs):
    """Yield the numbers of windows with their results, by `n_jobs` processes, in any order.

    Each process reads the task from a file, once.
    """
    # cloudpickle also pickles an estimator whose class is defined in a script
    path.write_bytes(pickle.dumps(wrap_non_picklable_objects(task, keep_wrapper=False)))
    token = uuid4().hex
    yield from Parallel(n_jobs, prefer="processes", return_as="generator_unordered")(
        delayed(_run_loaded)(path, token, number, windows[number]) for number in numbers
    )


def _run_loaded(path, token, number, window):
    return number, _run_window(_load(path, token), window)


@lru_cache(maxsize=1)
def _load(path, token):
    return pickle.loads(path.read_bytes())


def _run_window(task, window):
    with torch_on_one_thread():
        return task.run(window)


def current_client():
    """Return the current client of dask.distributed, or None."""
    distributed = sys.modules.get("distributed")  # if not imported, there is none
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None


def by_cluster(client, task, windows, numbers):
    """Yield the numbers of windows with their results, by the workers of a cluster.

    The task is a future, which is sent to each worker once and computed again if a worker is lost.
    The number of submitted windows is limited, so that results do not accumulate.
    """
    import distributed

    name = f"skunmix-{uuid4().hex}"
    task = client.submit(_itself, task, key=f"{name}-task", pure=False)
    numbers = iter(numbers)
    under_way = {}

    def submit(n):
        futures = []
        # in turn; otherwise all windows would go to the first worker that has the task
        workers = list(client.nthreads())
        for number in islice(numbers, n):
            future = client.submit(
                _run_window,
                task,
                windows[number],
                key=f"{name}-{number}",
                pure=False,
                workers=[workers[number % len(workers)]] if workers else None,
                allow_other_workers=bool(workers),
            )
            under_way[future] = number
            futures.append(future)
        return futures

    def room():
        n_threads = sum(client.nthreads().values())
        return max(2, 2 * n_threads) - len(under_way)

    try:
        completed = distributed.as_completed(submit(room()))
        for future in completed:
            result = future.result()
            yield under_way.pop(future), result
            completed.update(submit(max(room(), 0)))
    finally:
        client.cancel(list(under_way))


def _itself(task):
    return task
