"""QuaDMix as a Dagster asset graph: choose what a language model is trained on."""
