"""What a process of its own has to survive: functions that `test_isolation.py` calls in one.

Each that leaves processes behind writes their ids, one a line, into a file that it is given.
"""

import contextlib
import ctypes
import gc
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MIB = 1 << 20
LONG = 300  # seconds; longer than any test waits
PREPARED = []  # the process, once for each time
MARKS = []


def prepares():
    print("preparing")
    assert os.environ["OMP_NUM_THREADS"] == "1"
    PREPARED.append(os.getpid())
    tempfile.gettempdir()  # which tempfile remembers
    if place := os.environ.get("COUNTED_IN"):
        with Path(place).open("a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")


def fails_to_prepare():
    prepares()
    raise ValueError("two\nlines")


def exits_while_preparing():
    os._exit(3)


def hangs_while_preparing():
    time.sleep(LONG)


def ignores_the_alarm_while_preparing():
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(LONG)


def holds_and_reserves():
    """150 MiB that are written to, 1 GiB that is not."""
    MARKS.extend((os.urandom(MIB) * 150, mmap.mmap(-1, 1 << 30, mmap.MAP_PRIVATE)))


def leaves_marks():
    """Change all that a process can change of itself."""
    import resource

    MARKS.append(PREPARED.pop())
    os.environ["MARK"] = tempfile.tempdir = "/mark"
    Path("mark").write_text("mark", "ascii")
    os.open("/dev/zero", os.O_RDONLY)
    os.umask(0o777)
    sys.path.append("/mark")
    sys.setrecursionlimit(500)
    gc.disable()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    signal.setitimer(signal.ITIMER_REAL, LONG)
    resource.setrlimit(resource.RLIMIT_STACK, (MIB, MIB))
    threading.Thread(target=time.sleep, args=(LONG,), daemon=True).start()
    os.chdir("/")


def traces():
    """Find what another function could have left; the own folder is called so."""
    import resource

    folder = str(Path.cwd())
    environment = {k: "own" if v == folder else v for k, v in os.environ.items()}
    umask = os.umask(0)
    os.umask(umask)
    limits = {k: resource.getrlimit(getattr(resource, k)) for k in dir(resource) if "RLIMIT_" in k}
    descriptors = []
    for number in open_descriptors():
        with contextlib.suppress(OSError):  # the listing's own is closed by now
            descriptors.append(str(Path(f"/proc/self/fd/{number}").readlink()))
    return {
        "marks": MARKS,
        "prepared": PREPARED,
        "environment": environment,
        "limits": limits,
        "files": [path.name for path in Path().iterdir()],
        "umask": umask,
        "argv": sys.argv,
        "temporary": tempfile.gettempdir() == folder,
        "collects": gc.isenabled(),
        "descriptors": sorted(name.partition(":")[0] for name in descriptors),
        "path": sys.path,
        "recursion": sys.getrecursionlimit(),
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "handlers": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "threads": len(list(Path("/proc/self/task").iterdir())),
    }


def marked_traces():
    leaves_marks()
    return traces()


def staff_is_ready():
    """Look at what `one.prepare` has left."""
    return [
        "torch" in sys.modules,
        sys.modules["problemset.grading.runner.run_check"].prepared.cache_info()[3],
    ]


def server():
    """The watcher's parent."""
    status = Path(f"/proc/{os.getppid()}/stat").read_text("ascii")
    return int(status.rpartition(")")[2].split()[1])


def attacks_the_server(number, then="returns"):
    os.kill(server(), number)
    if then == "kills the watcher":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(LONG)
    return "attacked"


def echo(**arguments):
    return arguments


def echo_late(seconds):
    time.sleep(seconds)
    return seconds


def surroundings():
    folder = Path.cwd()
    return {
        "environment": dict(os.environ),
        "folder": str(folder),
        "files": [p.name for p in folder.iterdir()],
        "path": sys.path,
        "isolated": sys.flags.isolated,
        "input": sys.stdin.read(),
        "session": os.getsid(0) == os.getpid(),
        "watcher's session": os.getsid(os.getppid()),
        "time zone": time.tzname[0],
    }


def limits_in_force():
    import resource

    kinds = ("CORE", "CPU", "FSIZE", "NOFILE", "DATA")
    return {k: resource.getrlimit(getattr(resource, f"RLIMIT_{k}"))[0] for k in kinds}


def raises(kind, message):
    raise {
        "ValueError": ValueError,
        "RuntimeError": RuntimeError,
        "Exit": SystemExit,
        "Interrupt": KeyboardInterrupt,
    }[kind](message)


class UnreadableError(Exception):
    def __str__(self):
        raise RuntimeError("no")


def raises_unreadable():
    raise UnreadableError


def raises_with_note():
    error = ValueError("the message")
    error.add_note("a note")
    raise error


def recurses():
    return recurses()


def hangs():
    print("before the hang", flush=True)
    time.sleep(LONG)


def hangs_ignoring_sigterm():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(LONG)


def computes_forever(ignoring=False):
    if ignoring:
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


def exits(code):
    print("on the way out", flush=True)
    os._exit(code)


def dies(number):
    os.kill(os.getpid(), number)


def follows_null():
    return ctypes.string_at(0).decode()


def allocates(size):
    return len(bytearray(size))


def allocates_little_by_little():
    kept = []
    while True:
        kept.append(bytearray(MIB))


def shares_memory(size):
    """Memory that RLIMIT_DATA does not count."""
    kept = mmap.mmap(-1, size)
    for start in range(0, size, MIB):
        kept[start : start + MIB] = b"x" * MIB
    time.sleep(LONG)


def fails_like_torch():
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")


def writes_file(size):
    with Path("large").open("wb") as file:
        for _ in range(size // MIB):
            file.write(b"x" * MIB)
    return Path("large").stat().st_size


def prints(size):
    for _ in range(size // MIB):
        print("x" * (MIB - 1))
    print("the end")
    return "printed"


def prints_bytes():
    sys.stdout.buffer.write(b"\xff\xfe and a \x00 zero\n")
    print("to standard error", file=sys.stderr)


def unusual(kind):
    circle = []
    circle.append(circle)
    nested = []
    for _ in range(100_000):
        nested = [nested]
    return {
        "nan": float("nan"),
        "infinite": [float("inf")],
        "set": {1},
        "bytes": b"x",
        "object": object(),
        "circle": circle,
        "nested": nested,
        "tuple": (1, 2),
        "surrogate": "\ud800",
    }[kind]


def long_text(size):
    return "x" * size


def open_descriptors():
    return [int(p.name) for p in Path("/proc/self/fd").iterdir()]


def pretends(first):
    """Write what an answer might look like to everything that is open, then leave."""
    value = json.dumps("pretended").encode()
    head = {"nonce": first, "state": "returned", "says": "", "bytes": len(value)}
    for descriptor in open_descriptors():
        with contextlib.suppress(OSError):
            os.write(descriptor, json.dumps(head).encode() + b"\n" + value)
    os._exit(0)


def half_an_answer(nonce):
    """Leave in the middle of an answer; the nonce is right, as the test made it so."""
    head = {"nonce": nonce, "state": "returned", "says": "", "bytes": 4}
    for descriptor in open_descriptors():
        if descriptor > 2:
            with contextlib.suppress(OSError):
                os.write(descriptor, json.dumps(head).encode() + b"\n12")  # of 1234
    os._exit(0)


def scribbles_and_returns():
    for descriptor in open_descriptors():
        if descriptor > 2:
            with contextlib.suppress(OSError):
                os.write(descriptor, b"\x00\xffscribble\n" * 10)
    return 1


def closes_everything():
    os.closerange(0, 256)
    return 1


def closes_output():
    sys.stdout.close()
    sys.stderr = None
    return "returned all the same"


def leaves(pids, how, count=1, then="returns"):
    """Start processes that outlive this one."""
    program = "import time; time.sleep(300)"
    started = []
    for _ in range(count):
        if how == "forks":
            pid = os.fork()
            if pid == 0:
                time.sleep(LONG)
                os._exit(0)
        else:
            run = [sys.executable, "-I", "-S", "-c", program]
            pid = subprocess.Popen(run, start_new_session=how == "session").pid
        started.append(pid)
    Path(pids).write_text("\n".join(map(str, started)), "ascii")
    if then == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if then == "hangs":
        time.sleep(LONG)
    return len(started)


def leaves_a_daemon(pids):
    """Fork twice with a new session between: its parent is gone, its group is its own."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            Path(pids).write_text(str(os.getpid()), "ascii")
            time.sleep(LONG)
        os._exit(0)
    os.wait()
    while not (Path(pids).exists() and Path(pids).read_text("ascii")):
        time.sleep(0.01)
    return "daemon"


def leaves_a_thread():
    threading.Thread(target=time.sleep, args=(LONG,)).start()
    return "not waited for"


def ends_its_watcher(pids, number, before):
    started = [os.getpid(), os.getppid()]
    if before == "forks":
        started.append(os.fork())
        if started[-1] == 0:
            os.setsid()
            time.sleep(LONG)
    Path(pids).write_text("\n".join(map(str, started)), "ascii")
    os.kill(os.getppid(), number)
    time.sleep(LONG)


def walks_away(folder):
    os.chdir(folder)
    Path("written").write_text("here", "ascii")
    return str(Path.cwd())


def makes_a_mess():
    folder = Path("closed")
    folder.mkdir()
    (folder / "file").touch()
    Path("link").symlink_to("/")
    folder.chmod(0)
    return str(Path.cwd())


def digs():
    """A thousand folders inside one another."""
    start = str(Path.cwd())
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    return start
