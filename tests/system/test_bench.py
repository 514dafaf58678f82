"""The bench of the bus runs, counts and writes its figures; what they are is not judged here."""
import json
import os
import subprocess

from harness import BUILD, ROOT, SANITIZERS


def test_bench_of_the_bus(tmp_path):
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [ROOT / "tests/bench/bus/run.py", "--build", BUILD, "--messages", "3000", "--repeat", "1", "--single", "100",
         "--backlog", "2000", "--probe", "20", "--json", figures], capture_output=True, text=True, timeout=240,
        check=False, env={**os.environ, **SANITIZERS})
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["throughput"]["messages"] == 3000 and found["throughput"]["end-to-end"] > 0
    assert found["throughput"]["cpu-a-million"] > 0 and found["single"]["in"] > 0 and found["disk"]["fdatasync"] > 0
    assert "not-run" in found["memory"] or found["memory"]["hub-and-one-agreement"] > 0
    assert "P1 end to end" in done.stdout
