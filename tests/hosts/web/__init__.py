"""Sites whose logins, protections and URLs stand between the browser and the chat.

Hosts like those beside this folder, and with rows in the same matrix (``web.<name>``). They need no
database of their own, so most of them have none; what they do to requests is what counts.
"""
