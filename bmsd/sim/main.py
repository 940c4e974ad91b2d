"""The program `bmsim`: the bench in virtual time, for scenarios and for recorded data."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from bmsd import __version__
from bmsd.errors import BmsdError, ConfigError, ParameterError
from bmsd.sim import commands
from bmsd.tables.chemistries import CHEMISTRIES

EXIT_FAILED, EXIT_CONFIG = 1, 78
GARBAGE_EVERY = 100_000


def main(arguments: list[str] | None = None) -> int:
    """Run the program `bmsim`."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    # A run makes no reference cycles but for rare errors; looking for them costs 4 % of a run.
    gc.set_threshold(GARBAGE_EVERY)
    try:
        code: int = options.act(options)
    except ConfigError as error:
        for problem in error.problems:
            commands.complain(problem)
        return EXIT_CONFIG
    except ParameterError as error:
        parser.error(f"--period-ms: {error}")
    except FileNotFoundError as error:
        commands.complain(f"{error.filename}: there is no such file or directory")
        return EXIT_FAILED
    except OSError as error:
        commands.complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return EXIT_FAILED
    except BmsdError as error:
        commands.complain(str(error))
        return EXIT_FAILED
    return code


def build_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser(
        prog="bmsim",
        description="The bench in virtual time: bmsd's own controller and chip driver on a simulated pack.",
        epilog="Exit: 0 good, 1 failed or not as expected, 2 wrong usage, 78 configuration or scenario refused.",
    )
    parser.add_argument("--version", action="version", version=f"bmsim {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(subparsers.add_parser("run", help="run a scenario", description=commands.run_scenario.__doc__))
    _add_replay(
        subparsers.add_parser(
            "replay",
            help="feed recorded data through chip and core",
            description=f"{commands.replay_recording.__doc__} {commands.OPEN_LOOP}.",
        )
    )
    lists = subparsers.add_parser("list", help="list scenarios, quantities and faults of the bench")
    lists.set_defaults(act=commands.list_words)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=commands.run_scenario)
    parser.add_argument(
        "scenario", metavar="SCENARIO", help="a .toml file, or a name that `bmsim list` shows"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: 16 LiFePO4 cells of 280 Ah")
    _add_outputs(parser)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(act=commands.replay_recording)
    parser.add_argument("recording", metavar="DATA.csv", type=Path,
                        help="columns t_s, current_a (positive charges), voltage_v or v1 to vN, temp_c")  # fmt: skip
    parser.add_argument("--chemistry", choices=tuple(CHEMISTRIES), help="default: the configuration's")
    parser.add_argument("--capacity-ah", type=float, metavar="X", help="default: the configuration's")
    parser.add_argument(
        "--initial-soc", type=float, metavar="PERCENT", help="state of charge at the first row"
    )
    parser.add_argument("--ocv", type=Path, metavar="FILE",
                        help="columns soc and v_ocv or v_mid: takes the first estimate from the voltage")  # fmt: skip
    parser.add_argument("--columns", default="", metavar="NEW=OLD,...",
                        help="names of columns, with a factor where needed: t_s=time,v*=cell*_mv*0.001")  # fmt: skip
    parser.add_argument("--hold-s", type=float, default=60.0, metavar="S",
                        help="longest time one row stands for; a longer gap is skipped (default 60)")  # fmt: skip
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: the bench's, limits at 20 C")
    _add_outputs(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write what was measured and decided")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw a picture (needs matplotlib)")
    parser.add_argument("--period-ms", type=int, metavar="N", help="control period, 100 to 1000")
    parser.add_argument("--quiet", action="store_true", help="do not print events")


if __name__ == "__main__":
    sys.exit(main())
