"""Small tables that show what a criterion prefers."""

from collections.abc import Sequence

import numpy as np
import polars as pl


def extreme_documents(
    ids: Sequence[str],
    texts: Sequence[str],
    scores: np.ndarray,
    *,
    n: int = 5,
    excerpt: int = 160,
) -> pl.DataFrame:
    """The n best and n worst documents by a criterion, best first.

    Args:
        ids, texts: of D documents.
        scores: (D,) raw scores, larger is better; equal scores go by id.
        n: documents of each end; fewer where D < 2n, so that none stands twice.
        excerpt: characters shown of a text; blanks and line ends become single blanks.

    Returns:
        Columns `end` ("top" or "bottom"), `score`, `id`, `text`.
    """
    order = sorted(range(len(ids)), key=lambda row: (-float(scores[row]), ids[row]))
    n_top = min(n, (len(order) + 1) // 2)
    n_bottom = min(n, len(order) - n_top)
    chosen = order[:n_top] + order[len(order) - n_bottom :]
    return pl.DataFrame(
        {
            "end": ["top"] * n_top + ["bottom"] * n_bottom,
            "score": [float(scores[row]) for row in chosen],
            "id": [ids[row] for row in chosen],
            "text": [_excerpt(texts[row], excerpt) for row in chosen],
        },
        schema={"end": pl.String, "score": pl.Float64, "id": pl.String, "text": pl.String},
    )


def _excerpt(text: str, n_characters: int) -> str:
    # Blanks can be most of a text: what is cut first is generous, so that few documents of
    # megabytes are not split whole to show a line.
    line = " ".join(text[: 8 * n_characters].split())
    return line if len(line) <= n_characters else line[: n_characters - 1].rstrip() + "…"
