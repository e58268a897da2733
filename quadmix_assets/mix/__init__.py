"""From theta* to the final mix: rank calibration, the selected documents, export, manifest."""
