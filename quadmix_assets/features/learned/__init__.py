"""Fits, saves, pins and loads criteria and domain classifiers."""
