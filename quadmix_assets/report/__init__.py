"""What people read about a lake as a whole."""
