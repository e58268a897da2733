"""The longer commands of `quadmix`, one module each."""
