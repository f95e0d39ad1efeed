"""Which characters the document's fonts can print, and what becomes of the others.

PDF/A allows no missing glyph: the engine refuses the whole document for one of them, and it
panics on some strings in scripts that its fonts lack. So text is reduced to what is known to print.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

REPLACEMENT = "\u25a1"

# Latin, Greek, Cyrillic and symbols, found by compiling every character alone as PDF/A-3a, regular
# and bold, with PT Sans, PT Serif and the two fonts inside typst that `templates/page.typ` names.
_RANGES = """
    20-7e a0-ac ae-36f 374-377 37a-37f 384-38a 38c 38e-3a1 3a3-3ce 3d0-3e1 3f0-45f 462-463 470-477
    48a-4f9 4fc-4fd 510-513 51a-51d 524-527 1d02 1d08-1d09 1d14 1d16-1d17 1d1d-1d1f 1d2c-1d2e
    1d30-1d3c 1d3e-1d5f 1d62-1d67 1d77-1d78 1d7b 1d85 1d9b-1db7 1db9-1dbf 1e00-1e9b 1e9e-1ef9
    1f00-1f15 1f18-1f1d 1f20-1f45 1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fc4
    1fc6-1fd3 1fd6-1fdb 1fdd-1fef 1ff2-1ff4 1ff6-1ffe 2000-200a 2010-2027 202f-2037 2039-203f 2042
    2044-204b 204f 205f 2070-2071 2074-208e 2090-209c 20a0-20c0 2100-2103 2105-2106 2109 210c-210f
    2111 2113 2115-2117 2119-211a 211c-211d 2120 2122 2124 2126-2127 212a-212b 212e 2135-2139 2148
    214f-2151 2153-2184 2189 2190-2220 2223-222d 2234-223d 2241-226b 226d-228b 228d-22a5 22ac
    22b2-22b5 22b8 22c2-22c6 22cd-22d1 22da-22ed 22ef 2300-2306 2308-2315 2318-2319 231c-2321
    2325-232b 2335-237a 237d 2380-2383 2388-238b 2395 239b-23ae 23ce-23cf 23d3 2423 2460-2473 24ea
    24ff-262f 2638-268b 2690-269c 26a0-26a5 26b0-26b1 2701-2704 2706-2709 270c-2727 2729-274b 274d
    274f-2752 2756 2758-275e 2761-277f 2794 2798-27af 27b1-27be 27c2 27c5-27c6 27dc 27e0 27e6-27eb
    27f5-27f7 2987-2988 2997-2998 29eb 29fa-29fb 2a00 2a2f 2a6a-2a6b 2b05-2b0d 2b12-2b1a
"""
_LIKE = {
    "\t": " ",
    "\r": "",
    "\u2028": "\n",
    "\u2029": "\n",
    "\u00ad": "",
    "\u3001": ",",
    "\u3002": ".",
}
_LONGEST_WORD = 28
_LONG = re.compile(rf"[^\s/-]{{{_LONGEST_WORD + 1},}}")


def printable(text: str) -> str:
    """Return `text` in NFC with every character that has no glyph dropped or replaced by □.

    Line breaks stay. Invisible format characters (zero width, bidirectional, byte order mark) are
    dropped; compatibility forms give way to their plain letters; very long words get places to
    break.
    """
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    if not composed.isascii() or not composed.isprintable():
        composed = "".join(map(_shown, composed))
    return _LONG.sub(_breakable, composed)


def _breakable(word: re.Match[str]) -> str:
    text = word.group()
    parts = [text[at : at + _LONGEST_WORD] for at in range(0, len(text), _LONGEST_WORD)]
    return "\u200b".join(parts)


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    if character == "\n" or _has_glyph(character):
        return character
    if character in _LIKE:
        return _LIKE[character]
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in {"Cf", "Cc", "Mn", "Me", "Cs"}:
        return ""
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and all(map(_has_glyph, plain)):
        return plain
    return REPLACEMENT


def _parse(ranges: str) -> tuple[list[int], list[int]]:
    pairs = [part.partition("-") for part in ranges.split()]
    starts = [int(first, 16) for first, _, _ in pairs]
    ends = [int(last or first, 16) for first, _, last in pairs]
    return starts, ends


_STARTS, _ENDS = _parse(_RANGES)


def _has_glyph(character: str) -> bool:
    point = ord(character)
    at = bisect_right(_STARTS, point) - 1
    return at >= 0 and point <= _ENDS[at]
