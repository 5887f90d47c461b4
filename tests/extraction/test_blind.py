"""scikit-learn's own checks on the blind unmixers."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix.extraction import ArchetypalAnalysis, MinimumVolume

pytestmark = pytest.mark.filterwarnings("ignore")


@parametrize_with_checks(
    [
        MinimumVolume(2, random_state=0),
        ArchetypalAnalysis(2, n_init=3, max_iter=20, random_state=0),
        ArchetypalAnalysis(2, norm=None, n_init=3, max_iter=20, random_state=0),
    ]
)
def test_common(estimator, check):
    check(estimator)
