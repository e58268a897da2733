"""Methods of making a mix: each is one module with its settings class, and a registry line."""
