"""The errors that `benchmarks/paper.py` measured, which the gallery draws."""

from pathlib import Path

from sklearn.utils import Bunch

from ..utils import StrOptions, validate_params

RESULTS = Path(__file__).parent / "results"


@validate_params(
    {"part": [StrOptions({"epochs", "sizes", "table"})]}, prefer_skip_nested_validation=True
)
def load_paper_results(part: str) -> Bunch:
    """Load errors measured in the experiments of Zhou & Rodrigues (ICASSP 2021).

    ``python benchmarks/paper.py`` measured them, in about an hour. They come with skunmix.

    Parameters
    ----------
    part : {"epochs", "sizes", "table"}
        The experiment: error against epochs (Fig. 2a) or training pixels (Fig. 2b), or the errors
        of all estimators (Table 1).

    Returns
    -------
    results : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        filename : str
            Path of a CSV file with the RMSE of abundances, one column for each seed. Its first
            lines, which begin with #, name the command that wrote it, and the machine.
        claims : str
            The claims of the paper, and whether they hold.

    Raises
    ------
    ValueError
        If there is no such part.

    Examples
    --------
    >>> from skunmix.datasets import load_paper_results
    >>> print(load_paper_results("epochs").claims.splitlines()[0])
    usgs
    """
    return Bunch(
        filename=str(RESULTS / f"paper_{part}.csv"),
        claims=(RESULTS / f"paper_{part}.txt").read_text(encoding="utf-8"),
    )
