"""Scenes on disk: sources, sinks, ENVI, and from stored values to spectra."""
