"""Small language models that tell how good a sample is.

In the order data flows: `ranks` (which documents each theta takes), `token_pool` (their tokens),
`packing` (windows of tokens in a reproducible order), `shapes`, `recipe`, `model` and `training`
(K proxies trained at once; `layers` and `cross_entropy` are the model's fast steps), `evaluation`
(their losses on target sets), `plots`. Nothing is re-exported here, so that importing one light
module does not load torch.
"""
