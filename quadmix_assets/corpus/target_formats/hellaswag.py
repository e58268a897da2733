"""HellaSwag: the start of a story and its right ending."""

from quadmix_assets.corpus.target_formats.base import Fields, Row, TargetFormat


def _fields(row: Row) -> list[Fields]:
    endings = row["endings"]
    return [{"question": row["ctx"], "choices": endings, "answer": endings[int(row["label"])]}]


FORMAT = TargetFormat(_fields, "{question} {answer}", "ctx, endings, label")
