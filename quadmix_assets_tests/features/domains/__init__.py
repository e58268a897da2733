"""Tests of the domain classifiers."""
