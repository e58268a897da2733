"""Tests of the reading side and of what is made of it."""
