"""How the programs that run for months lay out their help.

To find the width of the terminal, argparse imports shutil, and that three libraries that compress: 0.7 MiB in each
process for as long as it lives. So the width is given.
"""

from __future__ import annotations

import argparse
import os
from functools import partial

HELP_WIDTH = 100
Help = partial(argparse.HelpFormatter, width=HELP_WIDTH)


def marked(priority: int, text: str) -> str:
    """Put the priority before a line where systemd reads it; to a person in a terminal it is noise."""
    return f"<{priority}>{text}" if os.environ.get("JOURNAL_STREAM") else text
