"""From proxies to theta*: regressors, objectives, constraints, and the search.

In order: `regressor_inputs` (what a regressor sees of a theta), `regressors`, `metrics` (errors on
the held-out proxies), `fit`, `objective`, `constraints`, `feasible` and `space` (which thetas may
be searched), `strategies` (the searches), `acquisitions` (which thetas a further round trains),
`find` (theta* of every objective), `optimum` (theta* as it is stored), `rounds` and `refine`
(further rounds of proxies), `optimum_check` (theta* against baselines), `plots` and
`optimum_plots`.
"""
