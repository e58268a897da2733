"""Finds the template of a set whose texts are complete: the labels that nearly all of them have.

A text such as "Question: ...\nAnswer: ..." was made from a template that nobody knows any more. Its
labels are the same in all documents, and a model predicts them whatever it was trained on.
"""

import re
from collections import Counter
from collections.abc import Sequence

from quadmix_assets.corpus.template import Span

# Up to three words and a colon at the start of a line.
_LABEL = re.compile(r"^(\w+(?: \w+){0,2}):", re.MULTILINE)
_SHARE = 0.9
# In fewer documents, nine of ten can begin alike by chance.
_LEAST_DOCUMENTS = 20


def common_labels(texts: Sequence[str]) -> list[str]:
    """The labels at the start of a line that at least 90 % of the texts have, sorted.

    None in sets of fewer than 20 texts.
    """
    if len(texts) < _LEAST_DOCUMENTS:
        return []
    counts = Counter(label for text in texts for label in set(_LABEL.findall(text)))
    return sorted(label for label, count in counts.items() if count >= _SHARE * len(texts))


def label_spans(text: str, labels: Sequence[str]) -> tuple[Span, ...]:
    """Where the labels stand at the start of a line, with the line break and the space around."""
    if not labels:
        return ()
    names = "|".join(map(re.escape, labels))
    found = re.finditer(rf"(?:\A|\n+)(?:{names}):[ \t]*", text)
    return tuple(match.span() for match in found)
