"""The sections of the report, one module each: what they read of the lake, and its HTML."""
