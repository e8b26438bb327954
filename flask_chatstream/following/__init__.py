"""What this process shows of answers, wherever they are written.

A `Live` has the committed text of one answer, a `Topic` what changes in a conversation. The
committer feeds them where the answer is written, the `Poller` elsewhere.
"""

from .audience import Audience, touch
from .display import Change, Display, Displays, Mark
from .follow import Follow
from .live import End, Live
from .poller import Poller
from .revoking import Revocations
from .seats import Seats, most_streams
from .tail import Line, Tail
from .topic import Topic

__all__ = [
    "Audience",
    "Change",
    "Display",
    "Displays",
    "End",
    "Follow",
    "Line",
    "Live",
    "Mark",
    "Poller",
    "Revocations",
    "Seats",
    "Tail",
    "Topic",
    "most_streams",
    "touch",
]
