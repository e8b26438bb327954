"""Wake-ups across processes: who commits something says so, and the others look at once.

A hint says where to look and never what is there: the database is the truth, and a hint that is
lost costs a viewer a moment until the poller comes by. So a bus is believed only while a message
of this process's own comes back to it.
"""

from .bus import Bus, Listener, Sender, find_bus
from .hints import Hint
from .wake import Wake

__all__ = ["Bus", "Hint", "Listener", "Sender", "Wake", "find_bus"]
