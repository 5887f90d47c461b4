import pytest
from hypothesis import given
from hypothesis import strategies as st

from skunmix.utils.intervals import count_without_bounds, coverage_rank, with_bounds


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6, unique=True))
def test_names_of_bounds_are_told_from_those_of_endmembers(names):
    try:
        columns = with_bounds(names)
    except ValueError:
        assert any(f"{a}{side}" in names for a in names for side in (" lower", " upper"))
        return
    assert columns[: len(names)] == names
    assert len(set(columns)) == 3 * len(names)
    assert count_without_bounds(columns) == len(names)
    assert count_without_bounds(names) == len(names)
    assert count_without_bounds(columns[1:]) == len(columns) - 1


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["a"],
        ["a", "a upper", "a lower"],
        ["a", "b", "a lower", "b lower", "a upper"],
        ["water", "soil", "tree"],
    ],
)
def test_names_that_have_no_bounds(names):
    assert count_without_bounds(names) == len(names)


@given(st.integers(1, 500), st.integers(1, 99))
def test_the_rank_is_not_one_too_many_by_rounding(n_labelled, percent):
    assert coverage_rank(n_labelled, percent / 100) == -(-percent * (n_labelled + 1) // 100)
