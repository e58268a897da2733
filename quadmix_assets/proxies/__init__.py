"""Which proxies are trained, on which documents, and their losses.

In the order of the data flow: `proxy_pool` (the documents that proxies are trained on),
`parameter_sets` (a theta for each proxy), `ranks` and `samples` (the documents each theta selects),
`train_batch`, and `evidence` (the losses). The training itself is in `quadmix_assets.training`.
"""
