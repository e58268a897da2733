"""Regressors from regressor inputs to losses, behind one interface (`base.Regressor`).

Every kind is one module, which holds its settings class and its implementation, and one line in
`registry`. `fitting` fits and reads regressors of any kind.
"""
