"""Intervals of abundances."""

from ._conformal import ConformalUnmixer

__all__ = ["ConformalUnmixer"]
