"""The prompt that AskLLM puts around a document (Sachdeva et al. 2024, arXiv:2402.09668, Figure 3).

A prompt is a text with a line `{document}` between two equal lines, the markers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLACE = "{document}"
_BUILT_IN = Path(__file__).with_name("askllm_prompt.txt")
_SHORTEST_MARKER = 3


@dataclass(frozen=True)
class Prompt:
    """A prompt, split at its document.

    Attributes:
        before, after: the text before and after the document, markers included.
        marker: the line around the document; it must not occur inside a document.
    """

    before: str
    after: str
    marker: str

    @classmethod
    def read(cls, path: Path | None = None) -> Prompt:
        """A prompt from a file, or the built-in one.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the line `{document}` is missing, or not between two equal markers.
        """
        path = path or _BUILT_IN
        lines = path.read_text(encoding="utf-8").strip("\n").split("\n")
        places = [number for number, line in enumerate(lines) if line.strip() == PLACE]
        if len(places) != 1 or "\n".join(lines).count(PLACE) != 1:
            raise ValueError(
                f"{path}: expected one line {PLACE} that stands for the document, found "
                f"{len(places)}"
            )
        place = places[0]
        marker = lines[place - 1].strip() if place else ""
        end = lines[place + 1].strip() if place + 1 < len(lines) else ""
        if marker != end or len(marker) < _SHORTEST_MARKER or " " in marker:
            raise ValueError(
                f"{path}, line {place + 1}: expected {PLACE} between two equal lines of at least "
                f"{_SHORTEST_MARKER} characters without spaces (such as ###), which mark where the "
                f"document starts and ends; found {marker!r} and {end!r}"
            )
        before, after = ("\n".join(part) for part in (lines[:place], lines[place + 1 :]))
        return cls(f"{before}\n", f"\n{after}", marker)

    def inside(self, text: str) -> str:
        """The text of a document with every marker in it spaced out, so that none is left."""
        while self.marker in text:
            text = text.replace(self.marker, " ".join(self.marker))
        return text

    def as_chat(self, tokenizer: Any) -> tuple[str, str]:
        """The text before and after the document in the chat template, up to the answer.

        Args:
            tokenizer: of the transformers library, with a chat template.

        Raises:
            ValueError: the template does not contain the user's message exactly once.
        """
        messages = [{"role": "user", "content": f"{self.before}{PLACE}{self.after}"}]
        chat = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        before, found, after = chat.partition(PLACE)
        if not found or PLACE in after:
            raise ValueError(
                "the model's chat template does not contain a user's message exactly once: "
                "set chat_template: never"
            )
        return before, after
