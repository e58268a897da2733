"""From proxies to theta*: regressors, objectives, constraints, and the search.

In order: `regressor_inputs` (what a regressor sees of a theta), `regressors`, `metrics` (errors on
the held-out proxies), `fit`, `objective`, `constraints` and `space` (which thetas may be looked
at), `strategies` (the searches), `optimum` (theta* as it is stored), `refine` (further rounds of
proxies), `optimum_check` (theta* against what it has to beat), `plots` and `optimum_plots`.
"""
