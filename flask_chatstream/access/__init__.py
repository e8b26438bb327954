"""Who asks, whether they may, and whether the request may change anything.

The owner of a chat is an opaque string. The site's own ``owner_loader`` says it; without one it is
Flask-Login's user, else an anonymous id that this server minted and signed. What an owner may do
is the site's rule, and a state-changing request must come from the site itself (S10).
"""

from .cookie import COOKIE, keep_owner, read_cookie, retire_cookie, signing_key
from .csrf import csrf_names, csrf_token, lacks_token
from .logins import follow_logins
from .origin import check_origin
from .owner import OwnerLoader, find_owner, load_owner, login_owner, owner_of
from .permission import ACTS, Act, Authorizer, is_allowed, refuse_act
from .sign_in import find_sign_in, lead_to_sign_in
from .values import request_values

__all__ = [
    "ACTS",
    "COOKIE",
    "Act",
    "Authorizer",
    "OwnerLoader",
    "check_origin",
    "csrf_names",
    "csrf_token",
    "find_owner",
    "find_sign_in",
    "follow_logins",
    "is_allowed",
    "keep_owner",
    "lacks_token",
    "lead_to_sign_in",
    "load_owner",
    "login_owner",
    "owner_of",
    "read_cookie",
    "refuse_act",
    "request_values",
    "retire_cookie",
    "signing_key",
]
