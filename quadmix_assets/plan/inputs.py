"""How much text there is to work on, as far as it is known before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quadmix_assets.corpus.check.report import InputReport
from quadmix_assets.settings import Settings, TargetSettings, TextSetSettings
from quadmix_assets.starter.sizes import BYTES_PER_TOKEN

# Bytes of a document of the generated corpus.
_PLANTED_BYTES = 800


@dataclass(frozen=True)
class InputSize:
    """The sizes of a profile's inputs.

    Attributes:
        n_documents, n_tokens: of the pool; None where nothing is known of it.
        known_from: in words.
        target_tokens: by target set and held-out set, tokens of its text; sets whose size is not
            known are left out.
        questions: by benchmark task, its questions; those of the hub are left out.
    """

    n_documents: int | None
    n_tokens: int | None
    known_from: str
    target_tokens: Mapping[str, int] = field(default_factory=dict)
    questions: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_report(cls, report: InputReport) -> "InputSize":
        """From what was found in some rows of every input."""
        shards = report.shards
        return cls(
            shards.n_rows,
            shards.n_text_bytes // BYTES_PER_TOKEN,
            f"estimated from {shards.n_rows_read:,} rows of {shards.n_read:,} shards",
            {
                target.name: target.n_text_bytes // BYTES_PER_TOKEN
                for target in (*report.targets, *report.held_out)
                if target.n_files
            },
            {task.name: task.n_questions for task in report.tasks if task.n_questions},
        )

    @classmethod
    def of_planted(cls, settings: Settings) -> "InputSize":
        """Of the generated corpus."""
        planted = settings.corpus.planted
        return cls(
            planted.n_documents,
            planted.n_documents * _PLANTED_BYTES // BYTES_PER_TOKEN,
            "the generated corpus",
            {
                target.name: planted.n_target * _PLANTED_BYTES // BYTES_PER_TOKEN
                for target in settings.targets
                if target.path is None and target.dataset is None
            },
        )

    @classmethod
    def stated(cls, n_tokens: int, tokens_per_document: int) -> "InputSize":
        """A pool of a size that somebody names."""
        return cls(n_tokens // tokens_per_document, n_tokens, "as it was stated")


def tokens_of_part(settings: Settings, inputs: InputSize, measured: TextSetSettings) -> int:
    """Tokens of the part of a set that losses are measured on, at most.

    Of a target set that is the part `proof`, and `search` has nearly as many; of a held-out set it
    is all. As many as the settings allow where its size is not known.
    """
    most = settings.proxies.max_target_tokens
    known = inputs.target_tokens.get(measured.name)
    if known is None:
        return most
    if isinstance(measured, TargetSettings):
        share = max(measured.proof_share, 1 - measured.proof_share)
        known = int(known * (1 - measured.fit_share) * share)
    return min(most, known)
