"""What the subcommands of `quadmix` do, a module each."""
