"""First boot: the package is installed with apt, on a machine that nobody has commissioned yet."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from kit import CONFIG, all_off, case, changes, chosen, never_on, now, run_all, said, sh, show, wait

PACKAGE = "/share/bmsd.deb"


def apt(*words: str) -> str:
    return sh("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *words, seconds=600)


@case(
    "apt install",
    "S13",
    "apt succeeds; no output moves; bmsd is enabled and does not run, for want of a configuration",
    vital=True,
    smoke=True,
)
def install() -> str:
    begun = now()
    apt("install", PACKAGE)
    seconds = now() - begun
    time.sleep(2)
    never_on(begun)
    assert show("UnitFileState") == "enabled", show("UnitFileState")
    assert show("ActiveState") == "inactive", show("ActiveState")
    assert show("ConditionResult") == "no"
    groups = sh("id", "-nG", "bmsd").split()
    assert {"bmsd", "gpio", "i2c", "dialout"} <= set(groups), groups
    return f"installed in {seconds:.1f} s; inactive, condition not met; user bmsd in {', '.join(groups)}; no line moved"


@case(
    "doctor before commissioning",
    "",
    "bmsctl doctor ends with 1, names the missing configuration and changes nothing",
)
def doctor() -> str:
    begun = now()
    text = sh("bmsctl", "doctor", expect=1)
    assert str(CONFIG) in text, text
    never_on(begun)
    return f"exit 1; {len(text.splitlines())} lines, among them {CONFIG}"


@case(
    "install over a broken configuration",
    "S5",
    "apt succeeds; bmsd ends with 78 and says why; it is not tried again; outputs off",
)
def broken() -> str:
    apt("remove", "bmsd")
    CONFIG.write_text('[pack]\nchemistry = "lead"\ncells = 99\n')
    begun = now()
    apt("install", PACKAGE)
    wait(lambda: show("ActiveState") == "failed", "bmsd.service has failed")
    time.sleep(7)
    assert show("ExecMainStatus") == "78", show("ExecMainStatus")
    assert show("NRestarts") == "0", show("NRestarts")
    never_on(begun)
    words = said(begun, "-u", "bmsd.service")
    assert "configuration refused" in words, words
    assert "chemistry" in words, words
    CONFIG.unlink()
    sh("systemctl", "reset-failed", "bmsd.service")
    return "exit 78, 0 restarts; the journal lists every problem; no line went high"


@case(
    "safe-off with a broken configuration",
    "S5",
    "bmsd-safe-off switches off from the list the core left, whatever the file says",
)
def safe_off() -> str:
    CONFIG.write_text("[pack\n")
    sh("install", "-d", "/run/bmsd/core")
    lines = '{"charge": 17, "discharge": 27, "heater": 23}'
    outputs = (
        f'{{"backend": "gpiod", "gpio_chip": "", "active_low": false, "lines": {lines}, "feedback": {{}}}}'
    )
    Path("/run/bmsd/core/outputs.json").write_text(f'{{"simulated": false, "outputs": {outputs}}}')
    text = sh("bmsd-safe-off")
    assert all_off()
    sh("rm", "-r", "/run/bmsd", str(CONFIG))
    text_without = sh("bmsd-safe-off", expect=1)
    assert "could NOT be switched off" in text_without, text_without
    return f"with the list: {text!r}; with neither list nor configuration: exit 1 and says so"


@case(
    "bmsctl setup",
    "",
    "setup writes a good configuration; nothing starts by itself; nobody else may write it",
    vital=True,
    smoke=True,
)
def setup() -> str:
    begun = now()
    answers = Path("/share/answers").read_text().split()
    text = sh("bmsctl", "setup", "--yes", *answers)
    sh("bmsd", "--check-config")
    mode = sh("stat", "-c", "%a %U:%G", str(CONFIG))
    assert mode in {"640 root:bmsd", "644 root:root"}, mode
    time.sleep(1)
    assert show("ActiveState") == "inactive", show("ActiveState")
    never_on(begun)
    # What installers would add by hand: the bus and the times of this machine.
    sh("install", "-D", "-m", "644", "/share/machine.toml", "/etc/bmsd/conf.d/machine.toml")
    sh("bmsd", "--check-config")
    return f"{len(text.splitlines())} lines said; file is {mode}; bmsd stays inactive"


CASES = (install, doctor, broken, safe_off, setup)

if __name__ == "__main__":
    print(len(changes()), "changes before")
    sys.exit(run_all(chosen(CASES, sys.argv[1:]), "install.json"))
