"""A server on a data directory that stays: started, killed, told to stop, and
looked at from outside; and the page cache under it."""

import ctypes
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

# How long a start or a stop may take: a long history takes long.
PATIENCE_SECONDS = 1800


def ends_with_us(by):
    """For `preexec_fn`: whoever is started is ended with who started it, however
    that ends, so that nobody is left who has the directory open."""
    prctl, on_death_of_parent = ctypes.CDLL(None).prctl, 1
    return lambda: prctl(on_death_of_parent, by)


class Server:
    """`bursar serve` on a directory, on a free port of this machine."""

    def __init__(self, bursar, data):
        self.bursar = str(bursar)
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("BURSAR_")}
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            [self.bursar, "serve", "--listen", "127.0.0.1:0", "--store", "sled",
             "--data", str(data)],
            env={**env, "BURSAR_LOG": "info"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=ends_with_us(signal.SIGKILL))
        self.address, self.serving_seconds, self.wrong = None, None, []
        self.said = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.said.wait(PATIENCE_SECONDS)
        if self.address is None:
            self.kill()
            raise RuntimeError("the server does not start: " + "; ".join(self.wrong))

    def _read(self):
        for line in self.process.stderr:
            try:
                said = json.loads(line)
            except ValueError:
                said = {}
            if said.get("message") == "serving":
                self.serving_seconds = time.monotonic() - self.begin
                self.address = said["address"]
                self.said.set()
            elif said.get("level") != "INFO":
                self.wrong.append(line.strip())
        self.said.set()

    def call(self, method, request):
        """What a call is answered with; an error if it is refused."""
        done = subprocess.run(
            [self.bursar, "call", method, "--addr", self.address, "-d", json.dumps(request)],
            capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
        if done.returncode:
            raise RuntimeError(f"{method}: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout)

    def _in(self, file):
        return Path(f"/proc/{self.process.pid}/{file}").read_text(encoding="ascii")

    def memory(self):
        """Resident now and at most, and of what is resident, what is no file."""
        fields = dict(line.split(":", 1) for line in self._in("status").splitlines())
        kib = {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM", "RssAnon")}
        return {"resident_kib": kib["VmRSS"], "peak_kib": kib["VmHWM"],
                "anonymous_kib": kib["RssAnon"]}

    def read_from_disk(self):
        """Bytes that had to come from the disk."""
        return self._bytes("read_bytes")

    def written(self):
        """Bytes that are for the disk."""
        return self._bytes("write_bytes")

    def _bytes(self, field):
        fields = dict(line.split(": ") for line in self._in("io").splitlines())
        return int(fields[field])

    def settle(self, quiet_seconds=1.0):
        """Waits until it does next to nothing any more."""
        def busy():
            # The second field is a name in parentheses and may contain anything.
            fields = self._in("stat").rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        before, since = busy(), time.monotonic()
        while time.monotonic() - since < quiet_seconds:
            time.sleep(0.1)
            now = busy()
            if now - before > 2:  # hundredths of a second of a processor
                since = time.monotonic()
            before = now

    def stop(self):
        """Tells it to stop; how long that took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_SECONDS)
        if code:
            raise RuntimeError(f"the server ended with {code}: " + "; ".join(self.wrong))
        return time.monotonic() - begin

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


def forget_pages(folder):
    """Takes the pages of a folder's files out of memory, so that they have to be
    read from the disk. Says how: all pages of the machine where that may be done,
    else those of these files, as far as nobody has them mapped."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
        return "drop_caches"
    except OSError:
        pass
    for path in files(folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    return "posix_fadvise of each file"


def files(folder):
    """All files in a folder."""
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def on_disk(folder):
    """Bytes that the files of a folder take of the disk, and how many files."""
    found = files(folder)
    return {"bytes": sum(path.stat().st_blocks * 512 for path in found), "files": len(found)}
