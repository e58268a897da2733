"""HellaSwag: the start of a story and its right ending."""

from quadmix_assets.corpus.target_formats.base import Fields, Row, TargetFormat, chosen


def _fields(row: Row) -> list[Fields]:
    endings = row["endings"]
    answer = chosen(endings, row["label"], "label")
    return [{"question": row["ctx"], "choices": endings, "answer": answer}]


FORMAT = TargetFormat(_fields, "{question} {answer}", "ctx, endings, label", has_choices=True)
