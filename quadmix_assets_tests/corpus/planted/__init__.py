"""Tests of the planted corpus: that its truth is visible in its text."""
