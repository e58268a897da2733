"""What a mix takes and leaves: random documents of every domain, with the rule's reasons."""

from collections.abc import Sequence

from quadmix_assets.page.markup import escaped, paragraphs
from quadmix_assets.page.taken_and_left import Shown, Side, TakenAndLeft


def documents_html(mix: str, domains: Sequence[TakenAndLeft]) -> str:
    """A list per domain that unfolds; what is folded is not printed.

    Args:
        mix: its name.
        domains: what it takes and leaves.
    """
    if not domains:
        return ""
    return paragraphs(
        f"Documents at random that {mix} takes, and others that it leaves. Click on a domain to "
        "unfold it; what is folded is not printed."
    ) + "".join(_domain(each) for each in domains)


def _domain(each: TakenAndLeft) -> str:
    n_documents = each.taken.n_documents + each.left.n_documents
    n_tokens = max(each.taken.n_tokens + each.left.n_tokens, 1)
    title = (
        f"{each.domain}: {each.taken.n_documents:,} of {n_documents:,} documents are taken, "
        f"{each.taken.n_tokens / n_tokens:.1%} of its tokens"
    )
    return (
        f"<details>\n<summary>{escaped(title)}</summary>\n"
        f'<div class="sides">\n{_side("taken", each.taken)}{_side("left", each.left)}</div>\n'
        "</details>\n"
    )


def _side(title: str, side: Side) -> str:
    counted = f"{title} ({len(side.shown)} of {side.n_documents:,})"
    shown = "".join(map(_document, side.shown)) or paragraphs("none")
    return f"<div>\n<h4>{escaped(counted)}</h4>\n{shown}</div>\n"


def _document(document: Shown) -> str:
    facts = [document.document_id, f"{document.n_tokens:,} tokens"]
    if document.copies:
        facts.append("once" if document.copies == 1 else f"{document.copies} times")
    if document.why:
        facts.append(document.why)
    return (
        f'<div class="document"><div class="quiet">{escaped(", ".join(facts))}</div>'
        f"<blockquote>{escaped(document.excerpt.strip())}</blockquote></div>\n"
    )
