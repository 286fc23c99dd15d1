"""A Redis of our own with the logic as a script, driven by redis-benchmark.

Every answer waits for the disk (appendfsync always), as Bursar's do.
"""

import re
import shutil
import subprocess
from pathlib import Path

from peers import free_port, wait_for

HERE = Path(__file__).resolve().parent
CLIENTS = [16, 64, 256]
NAME = "Redis script"
# Decisions with which the number for a measurement is found.
FEW = 20_000
FACTS = ["shop_pc_order_detail", "freight", "item-1", "douyin", "online", "shipped",
         "0", "0", "0", "100000", "item-1,item-2"]


class Server:
    """A server in a folder of its own; ended and removed at the end."""

    def __init__(self, folder):
        self.folder = Path(folder) / "redis"
        self.port = free_port()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", "--dir", str(self.folder)],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: self._cli("PING", check=False) == "PONG", "Redis")
            self._cli("EVAL", (HERE / "world.lua").read_text(), "0")
            self.script = self._cli("SCRIPT", "LOAD", (HERE / "authorize.lua").read_text())
        except BaseException:
            self.stop()
            raise

    def _cli(self, *command, check=True):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *command],
                              capture_output=True, text=True, check=False)
        said = done.stdout.strip()
        if check and (done.returncode or said.startswith(("ERR", "(error)", "NOSCRIPT"))):
            raise RuntimeError(f"redis-cli: {said or done.stderr}")
        return said

    def _benchmark(self, clients, count):
        done = subprocess.run(
            ["redis-benchmark", "-p", str(self.port), "-c", str(clients), "-n", str(count),
             "-r", str(2 * 10**9), "--csv", "EVALSHA", self.script, "0", "__rand_int__", *FACTS],
            capture_output=True, text=True, check=False)
        line = done.stdout.strip().splitlines()[-1:] or [""]
        rate = re.search(r'",?"?([0-9]+\.[0-9]+)"', line[0])
        if done.returncode or not rate or "rror" in done.stdout:
            raise RuntimeError(f"redis-benchmark: {done.stderr or done.stdout}")
        return round(float(rate[1]))

    def measure(self, clients, seconds, warm_up):
        """Decisions a second with so many clients."""
        # It counts calls, not time: a short run tells how many fill the time.
        rate = self._benchmark(clients, FEW)
        if warm_up:
            rate = self._benchmark(clients, max(FEW, rate * warm_up))
        return self._benchmark(clients, max(FEW, rate * seconds))

    def denied_share(self):
        """Which share of a sample of decisions was a no: to see that the load
        is alike."""
        keys = self._cli("--raw", "SCAN", "0", "MATCH", "decision:*", "COUNT", "20000").splitlines()[1:]
        receipts = [self._cli("--raw", "HGET", key, "receipt") for key in keys[:400]]
        return sum('"DENY"' in receipt for receipt in receipts) / max(1, len(receipts))

    def stop(self):
        """Ends it; whatever it has is removed."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
