"""`quadmix check`: checks a profile's inputs by some rows of each, and prints what was found."""

from collections import Counter
from collections.abc import Sequence

from quadmix_assets.corpus.check import InputReport, incomplete, look_at_inputs
from quadmix_assets.corpus.check.report import ShardsReport, TargetReport, TaskReport
from quadmix_assets.evidence.tasks.abilities import ability_of
from quadmix_assets.evidence.used_elsewhere import used_elsewhere
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.inference.checkpoint import CheckpointError
from quadmix_assets.features.learned.published import Published
from quadmix_assets.settings import Settings
from quadmix_assets.starter.sizes import BYTES_PER_TOKEN
from quadmix_assets.starter.text import shown_count
from quadmix_assets.store import Store

_TEXT_WIDTH = 60


def check(settings: Settings, store: Store) -> str:
    """Inspect all inputs.

    Returns:
        What was found, as text for the terminal.

    Raises:
        SettingsError: the inputs do not match the settings; one message names all problems.
    """
    report = look_at_inputs(settings, store) if settings.corpus.source == "files" else None
    problems = [] if report is None else report.findings.problems
    problems = [*problems, *checkpoint_problems(settings)]
    if not problems:
        # Last, as it reads all texts of target sets and held-out sets.
        problems = used_elsewhere(settings, store)
    if problems:
        raise incomplete(settings, problems)
    if report is None:
        return "the settings are valid; the corpus is generated\n"
    return _text(settings, report)


def check_checkpoints(settings: Settings) -> None:
    """Check that the local copies of published models exist that the settings name.

    Raises:
        SettingsError: one does not; the message names all missing ones.
    """
    problems = checkpoint_problems(settings)
    if problems:
        raise incomplete(settings, problems)


def checkpoint_problems(settings: Settings) -> list[str]:
    """What is wrong with the local copies of published models; the hub is not asked."""
    features = settings.features
    runtime = Runtime.of(settings)
    models = {
        f"features.criteria[{criterion.name}].model": criterion.make(runtime)
        for criterion in features.criteria
    }
    domains = features.domains.make(runtime)
    problems = []
    for key, model in {**models, "features.domains.model": domains}.items():
        if isinstance(model, Published):
            try:
                model.check_local_copy()
            except CheckpointError as error:
                problems.append(f"{key}: {error}")
    return problems


def _text(settings: Settings, report: InputReport) -> str:
    shards = report.shards
    sections = [
        _shards_lines(settings, shards),
        _columns_lines(settings, shards),
        _domains_lines(settings, report),
        _sets_lines("target", report.targets, "target_sets"),
        _sets_lines("held-out set", report.held_out, "held_out_sets"),
        _tasks_lines(settings, report.tasks),
        _criteria_lines(settings),
        _warnings_lines(report.findings.warnings),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _shards_lines(settings: Settings, shards: ShardsReport) -> list[str]:
    n_shards = len(shards.discovery.shards)
    ignored = shards.discovery.ignored
    lines = [
        f"shards      {n_shards:,} in {settings.resolve(settings.corpus.raw)}",
        f"inspected   {shards.n_rows_read:,} rows: the first ones of {shards.n_read:,} shards"
        + (", spread evenly over the pool" if shards.n_read < n_shards else ""),
        f"documents   about {shards.n_rows:,} in all, with {shards.n_text_bytes / 1e6:,.1f} MB of "
        f"text; {_tokens(shards.n_text_bytes)}",
    ]
    if ignored:
        lines.append(
            f"ignored     {len(ignored):,} files that match no pattern, for example "
            f"{', '.join(ignored[:3])}"
        )
    return lines


def _columns_lines(settings: Settings, shards: ShardsReport) -> list[str]:
    rows = [("corpus.text_column", settings.corpus.text_column, "", "", "")]
    for use in shards.columns:
        absent = {
            "corpus.id_column": "absent: ids are made from shard and row",
            "corpus.source_column": "absent: the source is the shard's key",
        }.get(use.setting, "absent: null")
        rows.append(
            (
                use.setting,
                use.column,
                f"{use.n_shards:,}",
                f"{use.n_values:,}",
                use.example if use.n_shards else absent,
            )
        )
    rows[0] = (*rows[0][:2], f"{shards.n_read:,}", f"{shards.n_rows_read:,}", "")
    return _table(("setting", "column", "shards", "rows", "example"), rows, "<<>><")


def _domains_lines(settings: Settings, report: InputReport) -> list[str]:
    domains, shown = settings.features.domains, report.shards.domains
    if report.labels is not None:
        shown = report.labels.labels
        title = f"domains     {domains.kind}, fitted to {report.labels.n_rows:,} examples"
    elif shown:
        title = f"domains     {domains.kind}, in the inspected rows"
    else:
        return [f"domains     {domains.kind}, {len(domains.names)} of them"]
    return [title, *_shares(shown, settings.domain_names)]


def _shares(counts: Counter[str], names: Sequence[str]) -> list[str]:
    width = max(map(len, names))
    total = counts.total()
    lines = [f"  {name:{width}}{n:>10,}{n / total:>9.1%}" for name, n in counts.most_common()]
    unseen = [name for name in names if not counts[name] and name != "unknown"]
    return [*lines, *([f"  not seen: {', '.join(unseen)}"] if unseen else [])]


def _sets_lines(kind: str, sets: Sequence[TargetReport], asset: str) -> list[str]:
    rows = []
    for target in sets:
        if target.n_files:
            about = "about " if target.is_estimate else ""
            tokens = _tokens(target.n_text_bytes)
            example = " ".join(target.example.split())[:_TEXT_WIDTH]
            rows.append((target.name, f"{about}{target.n_rows:,}", tokens, example))
        else:
            rows.append((target.name, "", "", f"on the hub, downloaded by {asset}"))
    return _table((kind, "rows", "tokens", "its first text"), rows, "<>><") if rows else []


def _tasks_lines(settings: Settings, reports: Sequence[TaskReport]) -> list[str]:
    tasks = {task.name: task for task in settings.evidence.tasks}
    rows = []
    for report in reports:
        kind = "open" if report.is_open else "choices"
        example = report.example or "of lm-evaluation-harness, downloaded by benchmark_results"
        shown = (f"{report.n_questions:,}", kind) if report.n_questions else ("", "")
        rows.append((report.name, ability_of(tasks[report.name]), *shown, example))
    header = ("task", "ability", "questions", "kind", "its first question")
    return _table(header, rows, "<<><<") if rows else []


def _criteria_lines(settings: Settings) -> list[str]:
    rows = []
    for criterion in settings.features.criteria:
        values = criterion.model_dump(exclude={"name", "kind"}, exclude_defaults=True)
        options = ", ".join(f"{key}: {value}" for key, value in values.items())
        rows.append((criterion.name, criterion.kind, options))
    return _table(("criterion", "kind", "settings"), rows, "<<<")


def _warnings_lines(warnings: Sequence[str]) -> list[str]:
    return [f"warning: {warning}" for warning in warnings] or ["all inputs are there"]


def _tokens(n_bytes: int) -> str:
    return f"about {shown_count(n_bytes / BYTES_PER_TOKEN)} tokens"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], alignment: str) -> list[str]:
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return [
        "  ".join(
            f"{cell:{side}{width}}"
            for cell, side, width in zip(row, alignment, widths, strict=True)
        ).rstrip()
        for row in table
    ]
