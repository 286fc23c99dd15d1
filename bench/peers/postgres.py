"""A PostgreSQL of our own with the logic as a function, driven by pgbench.

Durability as PostgreSQL comes: fsync and synchronous_commit on. Run by itself,
this file only looks whether PostgreSQL is there.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = [8, 32, 64]
NAME = "PostgreSQL function"


def program(name):
    """A program of PostgreSQL's: Debian keeps the server's off the path."""
    places = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    found = places[-1] if places else shutil.which(name)
    if not found:
        raise RuntimeError(f"no {name}: install PostgreSQL")
    return found


class Server:
    """A server in a folder of its own; ended and removed at the end."""

    def __init__(self, folder):
        from peers import free_port, wait_for

        self.folder = Path(folder) / "postgres"
        self.port = free_port()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # The server refuses to run as root.
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
            if subprocess.run([*self.user, "test", "-x", self.folder], check=False).returncode:
                raise RuntimeError(
                    f"the user postgres cannot reach {self.folder}: name another folder with --folder"
                )
        self.data = self.folder / "data"
        self.process = None
        try:
            self._run(program("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust",
                      "-E", "UTF8", "--locale=C")
            self.log = open(self.folder / "log", "wb")
            self.process = subprocess.Popen(
                [*self.user, program("postgres"), "-D", self.data, "-p", str(self.port),
                 "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"],
                cwd=self.folder, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
            wait_for(lambda: self._psql("SELECT 1", check=False), "PostgreSQL")
            for file in ["schema.sql", "authorize.sql"]:
                self._psql((HERE / file).read_text())
        except BaseException:
            self.stop()
            raise

    def _run(self, *command):
        done = subprocess.run([*self.user, *map(str, command)], cwd=self.folder, check=False,
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr or done.stdout}")
        return done.stdout

    def _at(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]

    def _psql(self, text, check=True):
        done = subprocess.run(
            [program("psql"), *self._at(), "-d", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1"],
            input=text, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip() if done.returncode == 0 else ""

    def measure(self, clients, seconds, warm_up):
        """Decisions a second with so many clients."""
        for time in filter(None, [warm_up, seconds]):
            done = subprocess.run(
                [program("pgbench"), *self._at(), "-n", "-M", "prepared", "-c", str(clients),
                 "-j", "2", "-T", str(time), "-f", HERE / "payout.pgbench", "postgres"],
                capture_output=True, text=True, check=False)
        rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        if done.returncode or not rate or (failed and int(failed[1])):
            raise RuntimeError(f"pgbench: {done.stderr or done.stdout}")
        return round(float(rate[1]))

    def denied_share(self):
        """Which share of all decisions was a no: to see that the load is alike."""
        return float(self._psql(
            "SELECT avg((receipt::json->>'decision' = 'DENY')::int) FROM decisions") or 0)

    def stop(self):
        """Ends it; whatever it has is removed."""
        if self.process and self.process.poll() is None:
            # A fast shutdown; of the server itself, not of whoever started it.
            pid = int((self.data / "postmaster.pid").read_text().split()[0]) \
                if (self.data / "postmaster.pid").exists() else self.process.pid
            os.kill(pid, 2)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(pid, 3)
                self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        for needed in ["postgres", "initdb", "pgbench", "psql"]:
            program(needed)
    except RuntimeError as problem:
        sys.exit(str(problem))
