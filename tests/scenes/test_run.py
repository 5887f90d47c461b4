"""Blocks by two threads."""

import threading
import time
import warnings

import pytest
import torch

from skunmix.scenes._run import two_at_once


def test_in_order_and_two_at_once():
    meet = threading.Barrier(2, timeout=30)  # passed only by two at a time

    def function(block):
        meet.wait()
        time.sleep(0.01 * (block % 2))
        return 10 * block

    assert list(two_at_once(function, range(8))) == [(block, 10 * block) for block in range(8)]


def test_no_more_than_a_few_are_begun():
    begun = []
    results = two_at_once(lambda block: begun.append(block), range(100))
    next(results)
    time.sleep(0.1)
    assert len(begun) <= 3
    results.close()
    assert len(begun) <= 3


def test_an_error_comes_out():
    def function(block):
        return 1 / (block - 3)

    with pytest.raises(ZeroDivisionError):
        list(two_at_once(function, range(10)))


def test_leaves_torch_and_warnings_as_they_were():
    before = torch.get_num_threads(), list(warnings.filters)
    list(two_at_once(lambda block: torch.ones(100, 100) @ torch.ones(100), range(8)))
    assert (torch.get_num_threads(), list(warnings.filters)) == before
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [before[0]]
