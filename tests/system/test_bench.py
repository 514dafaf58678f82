"""The benches run, count and write their figures; what they are is not judged here."""
import json
import os
import socket
import subprocess
import threading
import time

import pytest
from harness import BUILD, ROOT, SANITIZERS, SERVERS, Sshd, end


@pytest.mark.long
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


def test_bench_of_starts_and_toggles(tmp_path):
    figures = tmp_path / "figures.json"
    done = subprocess.run([ROOT / "tests/bench/start/run.py", "--build", BUILD, "--repeat", "1", "--json", figures],
                          capture_output=True, text=True, timeout=240, check=False, env={**os.environ, **SANITIZERS})
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["start"]["cold"] > 0 and found["start"]["warm"] > 0
    assert set(found["toggle"]) == {"rename-off", "rename-on", "edit-off", "edit-on"}
    assert all(value > 0 for value in found["toggle"].values())
    assert "P13 start, known plugins" in done.stdout


def test_bench_of_judging(tmp_path):
    figures = tmp_path / "figures.json"
    done = subprocess.run([ROOT / "tests/bench/content/run.py", "--build", BUILD, "--repeat", "1", "--seconds", "0", "--json",
                           figures], capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **SANITIZERS})
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())["content"]
    assert set(found) == {"stix", "stix-large", "stix-other", "edifact", "x12", "records80"}
    assert all(row["mb-a-second"] > 0 for row in found.values())


@pytest.mark.long
def test_bench_of_sftp(tmp_path, not_run):
    if Sshd.binary() is None:
        pytest.skip("OpenSSH's server could not be fetched (see build/logs/servers.log)")
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [ROOT / "tests/bench/sftp/run.py", "--build", BUILD, "--small", "40", "--peer-files", "4", "--large", "2",
         "--large-size", "3000000", "--repeat", "1", "--json", figures], capture_output=True, text=True, timeout=240,
        check=False, env={**os.environ, **SANITIZERS})
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    for kind, count in (("small", 40), ("large", 2)):
        for delay in ("0", "20"):
            assert found[kind][delay]["accord"]["files"] == count and found[kind][delay]["ratio"] > 0
            assert found[kind][delay]["accord"]["cpu"] > 0
    assert found["small"]["20"]["sftp"]["files"] == 4
    assert "P6 files/s" in done.stdout and "P7 MB/s" in done.stdout
    if not (SERVERS / "usr/bin/lftp").exists():
        not_run("lftp", "it could not be fetched (see build/logs/servers.log)")


def test_bench_of_queues(tmp_path):
    if not (ROOT / "build/servers-rabbitmq/complete").exists():
        pytest.skip("RabbitMQ could not be fetched (see build/logs/servers-mq.log)")
    figures = tmp_path / "figures.json"
    done = subprocess.run([ROOT / "tests/bench/mq/run.py", "--build", BUILD, "--messages", "400", "--repeat", "1", "--json",
                           figures], capture_output=True, text=True, timeout=240, check=False,
                          env={**os.environ, **SANITIZERS})
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    for what in ("send", "receive"):
        assert found[what]["messages"] == 400 and found[what]["accord"] > 0 and found[what]["bare"] > 0
        assert found[what]["cpu-of"]["hub"] >= 0
    assert "P11 send" in done.stdout and "P11 receive" in done.stdout


def test_bench_of_sftp_gives_no_figure_for_a_loss(tmp_path):
    """Its own accounting: a file that is missing, spoilt or too many ends it."""
    check = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import run
files = run.Files(pathlib.Path(sys.argv[2]) / "source", 3, 5)
there = pathlib.Path(sys.argv[2]) / "there"
there.mkdir()
whole = {path.name: path.read_bytes() for path in files.folder.iterdir()}
for change in ({}, {"f00001.bin": None}, {"f00001.bin": b"other"}, {".accord-x.tmp": b"left"}):
    for path in there.iterdir():
        path.unlink()
    for name, content in {**whole, **change}.items():
        if content is not None:
            (there / name).write_bytes(content)
    try:
        files.check(there, 3)
        print("good")
    except AssertionError as error:
        print(error)
"""
    done = subprocess.run(["/usr/bin/python3", "-c", check, ROOT / "tests/bench/sftp", tmp_path], capture_output=True,
                          text=True, timeout=60, check=False)
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert said[0] == "good" and said[1].startswith("1 missing ['f00001.bin']")
    assert said[2].startswith("0 missing [], 0 too many [], 1 with other") and "1 too many ['.accord-x.tmp']" in said[3]


def echo(listener):
    """Gives back what comes, to the end of the stream."""
    with listener.accept()[0] as peer:
        while piece := peer.recv(1 << 16):
            peer.sendall(piece)


def test_delay_proxy_is_a_wire_of_that_length():
    content = os.urandom(8 << 20)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo, args=(listener,))
        thread.start()
        proxy = subprocess.Popen([BUILD / "tests/delay-proxy", str(listener.getsockname()[1]), "10"], text=True,
                                 stdout=subprocess.PIPE)
        try:
            with socket.create_connection(("127.0.0.1", int(proxy.stdout.readline()))) as near:
                times = []
                for byte in (b"a", b"b", b"c"):
                    began = time.monotonic()
                    near.sendall(byte)
                    assert near.recv(16) == byte
                    times.append(time.monotonic() - began)
                assert min(times) >= 0.02, times
                sender = threading.Thread(target=lambda: (near.sendall(content), near.shutdown(socket.SHUT_WR)))
                sender.start()
                back = bytearray()
                while piece := near.recv(1 << 16):
                    back += piece
                sender.join()
                assert back == content  # whole, in order, and the end of the stream came through both ways
            assert proxy.poll() is None
        finally:
            end(proxy)
            thread.join()
