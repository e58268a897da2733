"""Which proxies are trained, and what they showed.

In the order data flows: `proxy_pool` (the documents that proxies are trained on), `parameter_sets`
(a theta for each proxy), `ranks` and `samples` (the documents each theta takes), `train_batch`, and
`evidence` (the losses). The training itself is in `quadmix_assets.training`.
"""
