"""Conversations of several turns, as in OpenHermes 2.5 and ShareGPT."""

from quadmix_assets.corpus.target_formats.base import Fields, Row, TargetFormat


def _fields(row: Row) -> list[Fields]:
    """Prompt and response of every turn; a system message is a field of each of them."""
    pieces: list[Fields] = []
    system, prompt = "", None
    for turn in row["conversations"]:
        who = turn.get("from", turn.get("role"))
        value = turn.get("value", turn.get("content"))
        if who == "system":
            system = value
        elif who in ("human", "user"):
            prompt = value
        elif who in ("gpt", "assistant"):
            pieces.append({"system": system, "prompt": prompt or "", "response": value})
            prompt = None
        else:
            raise ValueError(
                f"a turn is from {who!r}; expected system, human or user, gpt or assistant"
            )
    if not pieces:
        raise ValueError("the conversation holds no response")
    return pieces


FORMAT = TargetFormat(_fields, "{prompt}\n\n{response}", "conversations: a list of {from, value}")
