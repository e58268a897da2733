"""Benchmark tasks, asked by lm-evaluation-harness of the language models of mixes."""
