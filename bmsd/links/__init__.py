"""The outside: each link is its own process, and the only users of python-can, pyserial and systemd-python."""
