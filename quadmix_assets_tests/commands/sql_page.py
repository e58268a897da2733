"""The code blocks of docs/sql.md."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


def blocks(language: str) -> list[str]:
    """The page's code blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def query_after(words: str) -> str:
    """The first query that follows these words."""
    rest = PAGE.read_text().split(words, 1)[1]
    return rest.split("```sql\n", 1)[1].split("```", 1)[0]


def views() -> list[str]:
    """The views that the page's table names."""
    return re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
