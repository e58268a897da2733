"""Small tokenizers of the published models' kinds, each with all steps of the real one.

The library's trainers for WordPiece and Unigram give another vocabulary in each process, so these
two vocabularies are counted out here; that of byte-level BPE is trained.
"""

import math
import re
import string
from collections import Counter

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizer,
    DebertaV2Tokenizer,
    PreTrainedTokenizerFast,
    T5Tokenizer,
)

from quadmix_assets_tests.features.texts import TOPICS

ANSWERS = ("yes", "Yes", "no", "No")

_PROSE = """
The river begins as a thin stream under the glacier and grows with every valley that it crosses.
Farmers along its banks have watered barley, beans and apple trees with it for nine hundred years,
and the oldest canals still carry water in summer. When snow melts early, the lower fields flood;
when winter stays dry, the mills stand still until April. Engineers measured the flow at twelve
bridges and found that forests hold back a third of the rain, because roots and moss let it sink
into the ground instead of running off.

A cell builds proteins from instructions that are copied out of its nucleus. First an enzyme opens
the double strand and writes a single strand of messenger, letter by letter. Then a ribosome reads
three letters at a time and joins one amino acid to the next, so that a long chain folds into a
working shape. If a letter is wrong, the chain may fold badly, and the cell usually destroys it.
Students often ask why so many steps are needed; the answer is that each step can be controlled.

Suppose that a number is divisible by six. It is then divisible by two and by three, since six is
their product. The converse holds as well, for two and three share no common factor. To prove a
statement about all numbers, show that it is true for the first one, and that it passes from any
number to its successor. A computer program can check many cases quickly, but no finite list of
cases is a proof.

Last night the orchestra played the second symphony to an almost empty hall. Tickets had been sold
out for weeks, yet the storm closed roads, stations and the airport. "We would have played for one
listener," said the conductor. The police asked people to stay at home. Shops open again on Monday;
the market, the museum and the public library follow on Tuesday.

Please sign in or create a free account to see prices, reviews, delivery times and today's offers!
Click the blue button, choose a size and colour, add it to your cart, and pay by card. Does the text
help to train a large language model? A good text is well written and formatted, teaches something
useful about the world, and contains nothing hateful or harmful. OPTIONS: yes or no.
"""
_TEXT = _PROSE + "\n".join(" ".join(words) for words in TOPICS.values())
_MARKS = string.punctuation + string.digits
_LETTERS = string.ascii_lowercase
_N_ENDINGS = 200
_BPE_TOKENS = 900
# How Llama 3 splits a text before merging bytes.
_LLAMA_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d_]+", text))


def _endings(words: Counter[str]) -> Counter[str]:
    """The commonest ends of words, two to four letters long."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for length in range(2, min(5, len(word))):
            counts[word[-length:]] += count
    return Counter(dict(counts.most_common(_N_ENDINGS)))


def word_piece() -> BertTokenizer:
    """BERT's: lower case, accents off, split at marks, `[CLS]` and `[SEP]` around a text."""
    words = _words(_TEXT.lower())
    characters = [*_LETTERS, *_MARKS]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    tokens += [f"##{character}" for character in characters]
    tokens += [word for word in words if len(word) > 1]
    tokens += [f"##{ending}" for ending in _endings(words)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return BertTokenizer(vocab=vocabulary, model_max_length=512)


def _unigram_pieces(specials: list[str]) -> list[tuple[str, float]]:
    """Special tokens, then words after a blank, ends of words and characters with log-shares."""
    words = _words(_TEXT)
    words.update(ANSWERS)
    counts = Counter({f"▁{word}": 10 * count for word, count in words.items()})
    counts.update(_endings(words))
    counts.update(["▁", *string.ascii_letters, *_MARKS])
    total = counts.total()
    pieces = [(piece, math.log(count / total)) for piece, count in counts.items()]
    return [(special, 0.0) for special in specials] + pieces


def deberta_v3() -> DebertaV2Tokenizer:
    """DeBERTa-v3's: Unigram, case kept, `[CLS]` and `[SEP]` around a text."""
    pieces = _unigram_pieces(["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
    pieces.append(("[MASK]", 0.0))
    return DebertaV2Tokenizer(
        vocab=pieces, unk_id=3, bos_token="[CLS]", eos_token="[SEP]", model_max_length=512
    )


def t5() -> T5Tokenizer:
    """T5's: Unigram, `</s>` after a text, all kinds of blanks alike."""
    pieces = _unigram_pieces(["<pad>", "</s>", "<unk>"])
    pieces += [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]
    return T5Tokenizer(vocab=pieces, model_max_length=512)


def llama_3(*, split_answers: bool, chat_template: str | None) -> PreTrainedTokenizerFast:
    """Llama 3's: byte-level BPE, `<|begin_of_text|>` before a text, nothing after it.

    "yes" and "no", in both cases, with and without a blank before, are one token each, or with
    `split_answers` several.
    """
    texts = [_TEXT]
    if split_answers:
        # Letters that never stand together are never merged.
        texts = [re.sub(r"\S*(?:yes|no)\S*", "", _TEXT, flags=re.IGNORECASE)]
    else:
        texts += 50 * [f"{answer} {answer}" for answer in ANSWERS]
    start, end = "<|begin_of_text|>", "<|end_of_text|>"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LLAMA_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_BPE_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([start, end])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(
                single=f"{start} $A",
                pair=f"{start} $A {start} $B",
                special_tokens=[(start, tokenizer.token_to_id(start))],
            ),
        ]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=start, eos_token=end, model_max_length=2_048
    )
    fast.chat_template = chat_template
    return fast
