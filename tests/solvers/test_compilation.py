"""Kernels that are compiled when they are first called."""

import os
import subprocess
import sys
import threading

import numpy as np
from numba import from_dtype, types

from skunmix.solvers._compilation import compiled_on_call


def make_double(compiled_for):
    def signature(dtype):
        compiled_for.append(dtype)
        array = types.Array(from_dtype(dtype), 1, "A")
        return types.void(array, array)

    @compiled_on_call(signature)
    def double(values, out):
        """Fill out with twice the values."""
        for i in range(len(values)):
            out[i] = 2 * values[i]

    return double


def test_compiled_once_for_each_dtype_and_for_all_layouts():
    compiled_for = []
    double = make_double(compiled_for)
    assert double.__name__ == "double"
    assert not compiled_for
    for dtype in (np.float64, np.float32):
        for step in (1, 2):
            values = np.arange(6, dtype=dtype)[::step]
            out = np.empty_like(values)
            double(values, out)
            np.testing.assert_array_equal(out, 2 * values)
    assert compiled_for == [np.float64, np.float32]


def test_threads_that_call_at_once_compile_once():
    compiled_for = []
    double = make_double(compiled_for)
    outs = [np.empty(3) for _ in range(4)]
    threads = [threading.Thread(target=double, args=(np.ones(3), out)) for out in outs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiled_for == [np.float64]
    np.testing.assert_array_equal(outs, np.full((4, 3), 2.0))


def test_a_fit_compiles_only_the_kernels_that_it_needs():
    """Few endmembers need no kernel for a library, and rows of float64 no other layout or type."""
    script = """
import numpy as np
from skunmix.solvers import csr_active_set
from skunmix.solvers import _active_set_kernel as a, _correlation_kernel as c
rng = np.random.RandomState(0)
csr_active_set(2 + rng.rand(20, 9), np.eye(2, 9) + 0.1)
for kernel in (c.correlate, c.correlate_bands, a.guess_with_gram, a.solve_with_gram):
    print(kernel.__name__, *kernel.kernels)
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert result.stdout.splitlines() == [
        "correlate float64",
        "correlate_bands",
        "guess_with_gram float64",
        "solve_with_gram",
    ]
