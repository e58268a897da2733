"""Texts on which two tokenizers that are not the same are likely to differ."""

_TEXTS = (
    "",
    " ",
    "\n",
    "\x00",
    "  two  spaces   three    four \t tab\t\ttabs \n line \n\n two\r\n\r\nDOS \r Mac",
    "ends in spaces   ",
    "ends in a line\n",
    "ends in lines \n \n\n  ",
    "I'm you're he's she'd we'll they've don't O'Neill's 'tis ''quoted'' ’s it’s l'été",
    "I'M YOU'RE HE'S SHE'D WE'LL THEY'VE DON'T 'ſ x'ſ 'Sam 'LLama 'Re 'vEst",
    "1 12 123 1234 12345678901234567890 1,234.56 3.14e-10 0x1F ½ ² ⅷ ๓ ١٢٣ 一二三 １２",
    "a1b2 c3d 4th x² H₂O under_score __init__ kebab-case CamelCase snake.dotted",
    "... …… !!! ?!?! -- --- ——— «» “quotes” ‘single’ (a) [b] {c} <d> #tag @name $5 €9 100%",
    "!\n?\n\n.\r\n;\n \n:\t\n)\n]\n\n\n}",
    "def f(x):\n    return {'a': [1, 2], \"b\": x ** 2}  # comment\n\n\nclass A:\n\tpass\n",
    "https://example.org/a/b?c=d&e=f#g me@example.org C:\\Users\\name /usr/bin/env",
    "Größe ÄÖÜ ß ñ ç é ǅ ĳ İstanbul ı ŉ ﬁ ﬀ Ωμέγα Ёжик עברית العربية हिन्दी ไทย ខ្មែរ",
    "日本語のテキスト。中文，没有空格！한국어 ㍿ ｆｕｌｌ ゛ ﾊﾟ 𠮷野家 𝐁𝐨𝐥𝐝 𝟘𝟙 𒀀 Ⅷ",
    "e\u0301 cafe\u0301 n\u0303 \u0301 a\u0300\u0301\u0302 \u0e33 \u0fb2\u0f71\u0f80"
    "\u1100\u1161\u11a8",
    "👍 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ☺️ ❤ \u200d \ufe0f",
    "a\u00a0b\u0085c\u2003d\u2028e\u2029f\u202fg\u3000h\u200bi\ufeffj\u180ek\u2060l\u00adm",
    " \u00a0 \u3000\u3000x \u2028\u2028 \u2003 y\u00a0\n\u00a0",
    "\x01\x02\x07\x08\x0b\x0c\x1b\x1c\x1d\x1e\x1f\x7f\x80\x9f \x0b\x0c\x1c\x1f z",
    "\ufffd \ufffe \uffff \ue000 \U000f0000 \U0010ffff \u0378 \U000e0041",
    "<|endoftext|><s></s>[SEP][CLS]<pad><unk><mask> <|im_start|> <|begin_of_text|>",
    "aaaaaaaaaa abababababab aabaabaab xxxyyyxxxyyy " + "a" * 1500 + " " + "ab" * 700,
    " " * 1000 + "x" + "\n" * 600 + "\t" * 600 + "y" + "\r\n" * 300,
    "-" * 900 + "=" * 900 + "." * 900 + "é" * 600 + "漢" * 400 + "1" * 900,
)
# A prime that shares no period with the blocks of Unicode, which are multiples of 16.
_STEP = 61


def awkward_texts() -> list[str]:
    """Texts with everything that tokenizers treat in ways of their own.

    Spaces of all kinds, contractions, digits, marks, scripts, symbols of several characters,
    control characters, special tokens spelt out, long runs, and one in 61 of all characters.
    """
    characters = [chr(code) for code in range(1, 0x110000, _STEP) if not 0xD800 <= code < 0xE000]
    return [*_TEXTS, "".join(characters), " ".join(characters), "a1" + "\n a1".join(characters)]
