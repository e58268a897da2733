"""From proxies to theta*: regressors, objectives, constraints, and the search.

In order: `regressor_inputs` (what a regressor sees of a theta), `regressors`, `metrics` (errors on
the held-out proxies), `fit`, `objective`, `constraints`, `feasible` and `space` (which thetas may
be searched), `strategies` (the searches), `acquisitions` (which thetas a further round trains),
`candidates` and `find` (candidates for theta* of every objective), `optimum` (what is stored of
them), `rounds` and `refine` (further rounds of proxies), `fresh_proxies`, `halving` and
`verification` (candidates are measured, what wins is theta*), `optimum_check` (theta* against what
it has to beat), `fidelity` (a second scale), and the plots.
"""
