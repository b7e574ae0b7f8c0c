"""Run an untrusted program as another user, without network, able to write in one folder only.

    python confine.py FOLDER UID -- PROGRAM [ARGUMENT...]

The kernel enforces each restriction that this system supports; `possible` reports which ones. The
file after -f, Jupyter's connection file, is copied into FOLDER so that the program can read it.
Only the standard library is used, because this file is run as a script.

    user      a user other than the grader's, whose files and processes it cannot touch
    files     it can write in FOLDER and nowhere else (Landlock, Linux 5.13)
    network   it has none (its own network namespace)
    signals   it cannot signal or trace processes outside (Landlock, Linux 6.12)

Source: landlock(7), namespaces(7), prctl(2); the numbers are those of the kernel's headers.
"""

import contextlib
import ctypes
import os
import random
import shutil
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # same on every architecture
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_NO_NEW_PRIVILEGES, _DROP_CAPABILITY, _CAPABILITIES = 38, 24, 64
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_WRITES = sum(1 << bit for bit in (1, *range(4, 13)))  # rights to write, remove and create
_SIGNALS_ABI = 6
_UIDS = range(40_000, 60_000)  # user ids that no system assigns


def possible(folder: Path, readable: Sequence[Path]) -> tuple[list[str], int]:
    """Try out the restrictions in a short-lived child process.

    Args:
        folder: the only folder in which the program may write.
        readable: paths that the program must be able to read, such as its interpreter.

    Returns:
        The restrictions listed above that work here, and the user id to run as: a separate one, or
        the grader's if only the grader can read what is needed.
    """
    uids = [random.choice(_UIDS)] if os.geteuid() == 0 else []
    for uid in (*uids, os.geteuid()):
        words = _tried(folder, uid, readable)
        if "readable" in words:
            return [word for word in words if word != "readable"], uid
    return [], os.geteuid()


def _tried(folder: Path, uid: int, readable: Sequence[Path]) -> list[str]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            words = confine(folder, uid)
            if all(os.access(path, os.R_OK | (os.X_OK * path.is_dir())) for path in readable):
                words.append("readable")
            os.write(write, " ".join(words).encode("ascii"))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        words = stream.read().decode("ascii").split()
    os.waitpid(child, 0)
    return words


def confine(folder: Path, uid: int) -> list[str]:
    """Irrevocably restrict this process and the processes that it starts.

    Args:
        folder: the only folder in which to write from now on.
        uid: user id to switch to; it must own the folder.

    Returns:
        The restrictions listed above that are in force.
    """
    system = ctypes.CDLL(None, use_errno=True)
    words = []
    own_user = _NEW_USER if os.geteuid() else 0  # else only root may unshare the network
    if system.unshare(own_user | _NEW_NETWORK | _NEW_IPC) == 0:
        words.append("network")
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        words.append("user")
    elif uid == 0:
        # root regains on execv only the capabilities that are still in the bounding set
        for capability in range(_CAPABILITIES):
            system.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return words + _landlock(system, folder)


def _landlock(system: ctypes.CDLL, folder: Path) -> list[str]:
    abi = system.syscall(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return []
    rights = _WRITES | (abi >= 2) << 13 | (abi >= 3) << 14
    # three masks: rights on files and on TCP ports, denied unless a rule grants them, and scopes
    asked = struct.pack("QQQ", rights, 3, 3)[: 8 if abi < 4 else 16 if abi < _SIGNALS_ABI else 24]
    rules = system.syscall(_CREATE_RULESET, asked, len(asked), 0)
    allowed = ((folder, rights), (Path(os.devnull), rights & (_WRITE_FILE | _TRUNCATE)))
    for path, given in allowed:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", given, descriptor)
        if system.syscall(_ADD_RULE, rules, 1, rule, 0):
            return []
    if system.syscall(_RESTRICT_SELF, rules, 0):
        return []
    return ["files", "signals"] if abi >= _SIGNALS_ABI else ["files"]


def main(arguments: Sequence[str]) -> None:
    """Confine this process and replace it by the program."""
    folder, uid, _, *program = arguments
    place, user = Path(folder), int(uid)
    if "-f" in program:
        argument, copy = program.index("-f") + 1, place / "connection.json"
        shutil.copyfile(program[argument], copy)
        if user != os.geteuid():
            os.chown(copy, user, user)
        program[argument] = str(copy)
    confine(place, user)
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
