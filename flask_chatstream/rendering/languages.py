"""The languages that code is coloured for, under every name that answers give them."""

from __future__ import annotations

from functools import cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_NAMES = """
ada apache apacheconf asm bash bat batch c c# c++ clj clojure cmake cobol common-lisp cpp
crystal cs csharp css cython d dart delphi diff docker dockerfile elixir elm erl erlang ex f#
fortran fsharp glsl go golang graphql groovy handlebars haml haskell hcl hlsl hs html http ini
java javascript jinja jl js json json5 jsx julia kotlin latex less lisp llvm lua make makefile
markdown mathematica md mysql nasm nginx nim nix obj-c objc objective-c objectivec ocaml
octave pas pascal perl php pl plpgsql postgres postgresql powershell prolog properties proto
protobuf ps1 pwsh py pycon pytb python python3 pyx qml r rb rs ruby rust sass scala scheme scss
sh shell smalltalk solidity sparql sql sqlite3 swift systemverilog tcl terraform tex tf toml ts
tsx twig typescript typst v vb.net vbnet verilog vhdl vim vue wast wat xml xslt yaml yml zig zsh
"""

#: Other lexers are left alone: every one here has been tried with text made to slow it down.
LANGUAGES = frozenset(_NAMES.split())

#: Names that answers use and Pygments does not know.
ALIASES = {
    "cjs": "js",
    "gql": "graphql",
    "h": "c",
    "hpp": "c++",
    "jsonc": "json5",
    "kt": "kotlin",
    "kts": "kotlin",
    "mjs": "js",
    "patch": "diff",
    "sqlite": "sqlite3",
    "vb": "vbnet",
    "xhtml": "html",
}


@cache
def _load_lexer(name: str) -> Lexer | None:
    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def find_lexer(language: str) -> Lexer | None:
    """The lexer for a language's name, or None when there is none."""
    name = language.lower()
    name = ALIASES.get(name, name)
    return _load_lexer(name) if name in LANGUAGES else None
