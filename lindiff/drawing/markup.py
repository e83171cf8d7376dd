"""The words of figures, which are Unicode with mathtext between ``$``, as plain text and as LaTeX.

A ``$`` of a text is ``\\$`` there, as `lindiff.drawing.labels.plain` writes it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Commands of LaTeX's mathematics and the characters that they print.
SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "epsilon": "ε", "eta": "η", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "Sigma": "Σ", "times": "×", "cdot": "·", "pm": "±", "propto": "∝", "infty": "∞", "to": "→",
    "leq": "≤", "geq": "≥", "ll": "≪", "gg": "≫", "approx": "≈", "neq": "≠", "sqrt": "√",
    "in": "∈", "|": "‖",
}  # fmt: skip
_COMMAND = {character: f"\\{name}" for name, character in SYMBOLS.items()} | {"−": "-"}
_ACCENTS = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde"}
_SCRIPTS = str.maketrans("²³₀₁₂", "23012")
_TEXT = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "—": "---", "…": r"\dots{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip
_MATH = re.compile(r"(?<!\\)\$(.*?)(?<!\\)\$", re.DOTALL)
# One letter, with accents, that has an index or a power: the symbols of a docstring.
_SYMBOL = re.compile(
    r"((?<![^\W\d_])(?:df|[^\W\d_])[\u0302-\u0304]*|\))((?:_[^\W_]+|\^[^\W_]+)+)(?![\w])"
)


def _parts(words: str) -> Iterator[tuple[bool, str]]:
    """The stretches of mathtext and of text, in turn."""
    end = 0
    for found in _MATH.finditer(words):
        yield False, words[end : found.start()].replace(r"\$", "$")
        yield True, found[1]
        end = found.end()
    yield False, words[end:].replace(r"\$", "$")


def plain(words: str) -> str:
    r"""Words as a text of Unicode characters, without mark-up.

    Example:
        >>> from lindiff.drawing import markup
        >>> markup.plain(r"ridge $c=0.01$, $1-\bar\alpha_t$")
        'ridge c=0.01, 1-ᾱ_t'
    """
    return "".join(_unicode(part) if math else part for math, part in _parts(words))


def _unicode(math: str) -> str:
    math = re.sub(r"\\mathrm\{([^{}]*)\}", r"\1", math)
    math = re.sub(r"\\([A-Za-z]+|\|)( ?)", lambda m: _named(*m.groups()), math)
    math = math.replace(r"\,", " ")
    math = re.sub(r"\0(.)(.)", r"\2\1", re.sub(r"\\(.)", r"\1", math))
    return unicodedata.normalize("NFC", re.sub(r"[{}]| (?=‖)|(?<=‖) ", "", math))


def _named(name: str, space: str) -> str:
    """The characters of a command; the space that ends it is one of the text after a word."""
    if name in SYMBOLS:
        return SYMBOLS[name]
    accents = {accent: mark for mark, accent in _ACCENTS.items()}
    return f"\0{accents[name]}" if name in accents else name + space


def latex(words: str) -> str:
    r"""Words as LaTeX: what is mathtext stays, all else is escaped or, where a symbol, set as one.

    Example:
        >>> from lindiff.drawing import markup
        >>> print(markup.latex(r"50 % of my_file: $c=0.01$, s_j at λ"))
        50 \% of my\_file: $c=0.01$, $s_{j}$ at $\lambda $
    """
    parts = (f"${part}$" if math else _latex(part) for math, part in _parts(words))
    return "".join(parts).replace("$$", "")


def _latex(text: str) -> str:
    text = unicodedata.normalize("NFD", text.replace("Σ0", "Σ_0"))
    pieces, end = [], 0
    for found in _SYMBOL.finditer(text):
        pieces += [_escaped(text[end : found.start()]), f"${_symbol(*found.groups())}$"]
        end = found.end()
    return "".join([*pieces, _escaped(text[end:])])


def _symbol(base: str, scripts: str) -> str:
    found = re.sub(r"([_^])(\w+)", lambda m: f"{m[1]}{{{_mathematical(m[2])}}}", scripts)
    name = rf"\mathrm{{{base}}}" if base == "df" else _mathematical(base).rstrip()
    return name + found


def _mathematical(text: str) -> str:
    """Characters inside mathematics, accents before what they stand on."""
    found: list[str] = []
    for character in text:
        if character in _ACCENTS and found:
            found.append(f"\\{_ACCENTS[character]}{{{found.pop().rstrip()}}}")
        else:
            command = _COMMAND.get(character, character)
            found.append(f"{command} " if command[:1] == "\\" else command)
    return "".join(found)


def _escaped(text: str) -> str:
    text = re.sub(r"`([^`]+)`", lambda m: f"\0{m[1]}\1", text)
    out, i = [], 0
    while i < len(text):
        j = i + 1
        while j < len(text) and text[j] in _ACCENTS and _is_mathematical(text[i], text[j]):
            j += 1
        out.append(_piece(text[i:j]))
        i = j
    found = "".join(out).replace("\0", r"\texttt{").replace("\1", "}")
    return unicodedata.normalize("NFC", found)


def _is_mathematical(base: str, accent: str) -> bool:
    """Whether an accent makes no letter of a language of this one: ε̂, not ô."""
    return len(unicodedata.normalize("NFC", base + accent)) > 1 or base in _COMMAND


def _piece(text: str) -> str:
    if len(text) > 1 or text in _COMMAND:
        return f"${_mathematical(text)}$"
    if text in "²³₀₁₂":
        return f"${'^' if text in '²³' else '_'}{{{text.translate(_SCRIPTS)}}}$"
    return _TEXT.get(text, text)
