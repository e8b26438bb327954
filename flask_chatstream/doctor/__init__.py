"""Whether a deployment is well: what ``flask chatstream doctor`` looks at.

A check is a function that takes what it needs and gives `Finding`s; `examination` has all of them
in their order. `facts` and `permit` are the other half, in the workers, which are asked over the
site's public address. Nothing here changes anything.
"""

from .facts import Facts, encode_facts, gather
from .finding import LEVELS, Finding, Level, worst
from .permit import HEADER, find_keys, is_permit

__all__ = [
    "HEADER",
    "LEVELS",
    "Facts",
    "Finding",
    "Level",
    "encode_facts",
    "find_keys",
    "gather",
    "is_permit",
    "worst",
]
