"""What criteria and domain classifiers learn, once: fitted, saved, pinned and loaded."""
