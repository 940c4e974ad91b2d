"""`python -m bmsd.docgen`: write the generated documents of a clone, or with --check only compare them."""

from __future__ import annotations

import argparse
import sys

from bmsd.docgen.documents import FOLDER, ROOT, stale, write


def main(arguments: list[str] | None = None) -> int:
    """Write or check; exit 1 names what is not current."""
    parser = argparse.ArgumentParser(
        prog="python -m bmsd.docgen", description="Write the documents that are made from the tables."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if any is not current")
    options = parser.parse_args(arguments)
    if not (ROOT / "docs").is_dir():
        print(f"there is no {ROOT / 'docs'}: run this in a clone of the repository", file=sys.stderr)
        return 1
    if not options.check:
        for name in write():
            print(f"written: {name}")
        return 0
    old = stale()
    for name in old:
        print(f"not current: {name}; './run docs' writes it", file=sys.stderr)
    if not old:
        print(f"{FOLDER} is current")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
