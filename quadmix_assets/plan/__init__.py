"""What a profile will cost before anything runs: tokens, FLOPs, hours on a device, and bytes."""
