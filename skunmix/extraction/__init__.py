"""Endmembers from an image: extractors, and how many endmembers there are."""

__all__ = []
