"""Functions that numba compiles when they are first called, instead of when they are defined."""

import threading
from functools import wraps

_lock = threading.Lock()


def compiled_on_call(signature, **options):
    """Return a decorator that compiles a function for one signature for each dtype.

    A signature saves compiling again for arrays of other layouts. Compiling takes seconds, and
    numba keeps the result on disk.

    Parameters
    ----------
    signature : numba signature or callable
        The signature, or a function of the dtype of the first argument that returns it.
    **options
        Options of :func:`numba.njit`.

    The decorated function has `kernels`, the compiled functions by dtype.
    """

    def decorate(function):
        kernels = {}

        def compiled(dtype):
            from numba import njit

            with _lock:
                if dtype not in kernels:
                    wanted = signature(dtype) if callable(signature) else signature
                    kernels[dtype] = njit(wanted, cache=True, **options)(function)
            return kernels[dtype]

        @wraps(function)
        def call(*arguments):
            dtype = arguments[0].dtype
            return (kernels.get(dtype) or compiled(dtype))(*arguments)

        call.kernels = kernels
        return call

    return decorate
