"""Run a program that nobody trusts: as another user, without network, writing in one folder only.

    python confine.py FOLDER UID -- PROGRAM [ARGUMENT...]

Whatever of it this system allows is done, by the kernel's own means; `possible` says what that is.
The file named after -f, Jupyter's connection file, is copied to FOLDER, where it can be read.
Only the standard library is used, because this file is run as a script.

    user      another user than the grader's, whose files and processes it cannot touch
    files     it can write in FOLDER and nowhere else (Landlock, Linux 5.13)
    network   it has none (a network namespace of its own)
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

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, on every architecture
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_NO_NEW_PRIVILEGES, _DROP_CAPABILITY, _CAPABILITIES = 38, 24, 64
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_WRITES = sum(1 << bit for bit in (1, *range(4, 13)))  # write, remove and make of every kind
_SIGNALS_ABI = 6
_UIDS = range(40_000, 60_000)  # that no system gives to anybody


def possible(folder: Path, readable: Sequence[Path]) -> tuple[list[str], int]:
    """Try it in a process that ends at once.

    Args:
        folder: the only one in which the program may write.
        readable: what the program must be able to read, such as its interpreter.

    Returns:
        The words above that hold here, and the user to run as: one of its own, or the grader's
        where only that one can read what it must.
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
    """Give up, for good, what this process and those that it starts do not need.

    Args:
        folder: the only one in which to write from now on.
        uid: whom to be; it must own the folder.

    Returns:
        The words above that hold.
    """
    system = ctypes.CDLL(None, use_errno=True)
    words = []
    own_user = _NEW_USER if os.geteuid() else 0  # without it only root may leave the network
    if system.unshare(own_user | _NEW_NETWORK | _NEW_IPC) == 0:
        words.append("network")
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        words.append("user")
    elif uid == 0:
        for capability in range(_CAPABILITIES):
            system.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return words + _landlock(system, folder)


def _landlock(system: ctypes.CDLL, folder: Path) -> list[str]:
    abi = system.syscall(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return []
    rights = _WRITES | (abi >= 2) << 13 | (abi >= 3) << 14
    # rights that are refused unless a rule gives them: to files, to TCP ports; and scopes
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
    """Confine this process and become the program."""
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
