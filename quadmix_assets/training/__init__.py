"""The engine that trains small language models: for proxies, optimum_check and the comparison.

`train_samples` is the entry point: it reads the inputs from the lake, groups the samples into
`stacks` and hands them to `workers`, each of which calls `train_stack`. A stack is K models trained
as one: `model` (with `layers`, `cross_entropy`, `architectures`), `trainer` (one optimiser step),
`loop` (all steps, with `checkpoint`), `evaluation` on `targets`. `recipe` derives the number of
steps and the learning rates, `capacity` the size of a stack. Models read `window_stream`s of a
`token_file`, which `shard_tokens` fills. `progress`, `tensorboard` and `plots` report. Nothing is
re-exported here, so that importing one light module does not load torch.
"""
