"""The mutants of a C file: each is one small change that a careful reader would call a mistake.

A place is an operator, a comparison, a constant or a condition of the code; comments, texts and lines of the preprocessor hold none.
The code is laid out by contrib/format, so an operator between two operands has white space on both sides, and a sign or a star of a
type has not. That is all the parsing there is: what does not compile is left out later.
"""
import re
from typing import NamedTuple

TOKEN = re.compile(r"""
    (?P<skip> /\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | ^[ \t]*\#(?:[^\n]*\\\n)*[^\n]* | \bstatic_assert\b[^;]*; )
  | (?P<number> (?<![\w.]) (?: 0[xX][0-9a-fA-F]+ | \d+\.\d*(?:[eE][-+]?\d+)? | \d+[eE][-+]?\d+ | \d+ ) [uUlLfF]* \b )
  | (?P<word> [A-Za-z_]\w* )
  | (?P<sign> \+\+ | -- | -> | <<=? | >>=? | [-+*/%&|<>=!]= | && | \|\| | [-+*/%<>!] )
  | (?P<other> \S )
""", re.VERBOSE | re.DOTALL | re.MULTILINE)

BETWEEN = {  # between two operands: what it may become
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("*",),
    "+=": ("-=",), "-=": ("+=",), "*=": ("/=",), "/=": ("*=",), "|=": ("&=",), "&=": ("|=",), "<<": (">>",), ">>": ("<<",),
}
KINDS = {**dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), "comparison"), **dict.fromkeys(("&&", "||", "!"), "condition")}
WORDS = {"true": "false", "false": "true"}


class Mutant(NamedTuple):
    file: str
    offset: int
    line: int
    before: str  # the text at the offset ...
    after: str   # ... and what takes its place
    kind: str    # operator, comparison, constant, condition
    code: str    # the line, for a reader and for equivalent.txt: line numbers move


def of_number(text):
    """A neighbour, and for a fraction its double: 0 becomes 1, 7 becomes 8."""
    digits = text.rstrip("uUlLfF") if not text.lower().startswith("0x") else text.rstrip("uUlL")
    suffix = text[len(digits):]
    if re.search(r"[.eE]", digits) and not digits.lower().startswith("0x"):
        return [f"{float(digits) * 2!r}{suffix}" if float(digits) else f"1.0{suffix}"]
    return [f"{int(digits, 0) + 1}{suffix}"]


def closing(text, start):
    """The offset of the bracket that closes the one at `start`."""
    depth = 0
    for found in TOKEN.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(found.group(), 0)
        if depth == 0:
            return found.start()
    raise ValueError(f"no closing bracket behind {start}")


def of_file(name, text):
    """All mutants of a file's text, in order."""
    lines = text.splitlines()
    loop_ends = 0

    def made(offset, before, after, kind):
        line = text.count("\n", 0, offset)
        return Mutant(name, offset, line + 1, before, after, kind, lines[line].strip())

    for found in TOKEN.finditer(text):
        token, offset = found.group(), found.start()
        spaced = text[offset - 1:offset].isspace() and text[found.end():found.end() + 1].isspace()
        if found.lastgroup == "number":
            for after in of_number(token):
                yield made(offset, token, after, "constant")
        elif token in WORDS:
            yield made(offset, token, WORDS[token], "constant")
        elif token == "for":
            loop_ends = closing(text, text.index("(", offset))
        elif token in ("if", "while"):
            start = text.index("(", offset)
            inside = text[start:closing(text, start) + 1]
            yield made(start, inside, f"(!{inside})", "condition")
        elif token in BETWEEN and spaced:
            for after in BETWEEN[token]:
                yield made(offset, token, after, KINDS.get(token, "operator"))
        elif token == "!":
            yield made(offset, token, "", "condition")
        elif token in ("++", "--") and offset > loop_ends:  # those of a loop's head would only hang
            yield made(offset, token, {"++": "--", "--": "++"}[token], "operator")


def apply(text, mutant):
    end = mutant.offset + len(mutant.before)
    assert text[mutant.offset:end] == mutant.before
    return text[:mutant.offset] + mutant.after + text[end:]
