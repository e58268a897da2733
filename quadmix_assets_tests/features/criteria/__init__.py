"""Tests of the quality criteria."""
