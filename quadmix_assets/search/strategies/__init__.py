"""Search strategies for theta*: each is one module with its settings class, and a registry line."""
