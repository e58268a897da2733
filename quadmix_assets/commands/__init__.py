"""The commands of `quadmix` that are more than a call: one module each."""
