"""The engine that trains small language models: for proxies, optimum_check and the comparison.

`train_samples` is the entry: it reads what is needed from the lake, cuts samples into `stacks` and
hands them to `workers`, each of which calls `train_stack`. A stack is K models trained as one:
`model` (with `layers`, `cross_entropy`, `architectures`), `trainer` (one optimiser step), `loop`
(all of them, with `checkpoint`), `evaluation` on `targets`. Models read `window_stream`s of a
`token_file`. Nothing is re-exported here, so that importing one light module does not load torch.
"""
