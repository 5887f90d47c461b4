"""Helpers that all rooms may use; they know no estimator of skunmix.

Import them from their modules, as in ``from ..utils.labels import axis_labels``.
"""
