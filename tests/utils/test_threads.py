import numpy as np
import pytest
from joblib import parallel_config

from skunmix.solvers import csr_active_set, csr_admm
from skunmix.utils import threads


def test_n_jobs_is_that_of_joblib(monkeypatch):
    sizes = []

    class Pool(threads.ThreadPoolExecutor):
        def __init__(self, n_threads):
            sizes.append(n_threads)
            super().__init__(n_threads)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", Pool)
    seen = []
    threads.map_threads(seen.append, range(5), None)
    assert sizes == []
    threads.map_threads(seen.append, range(5), 3)
    with parallel_config(n_jobs=2):
        threads.map_threads(seen.append, range(5), None)
    threads.map_threads(seen.append, range(1), 3)  # no more threads than there is work
    assert sizes == [3, 2]
    assert sorted(seen) == sorted([*range(5)] * 3 + [0])


def test_an_exception_comes_out():
    def refuse(item):
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        threads.map_threads(refuse, range(3), 2)


@pytest.mark.parametrize("solver", [csr_active_set, csr_admm])
def test_solvers_take_n_jobs(solver):
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(size=(5, 20))
    spectra = rng.dirichlet(np.ones(5), 20_000) @ endmembers
    one, two = (solver(spectra, endmembers, n_jobs=n).abundances for n in (1, 2))
    np.testing.assert_array_equal(one, two)
