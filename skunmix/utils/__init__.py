"""Helpers that all rooms may use; they know no estimator of skunmix.

Import them from their modules, as in ``from ..utils.labels import axis_labels``. Only the names of
`_compat` are imported from here.
"""

from ._compat import *  # noqa: F403
from ._compat import __all__  # noqa: F401
