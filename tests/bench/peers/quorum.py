"""RabbitMQ beside us, in the same run: the reference of P1's floor and P2's (docs/PERFORMANCE.md)."""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVERS = ROOT / "build/servers-rabbitmq"
sys.path.insert(0, str(ROOT / "sdk/rehearsal"))

from rabbitmq import RabbitMQ  # noqa: E402


def missing(build):
    """Why it cannot be measured here; None: it can."""
    if not (SERVERS / "complete").exists():
        return "tests/tools/servers rabbitmq was not run"
    if not (build / "tests/rabbitmq-bench").exists():
        return "rabbitmq-bench was not built (librabbitmq-dev)"
    return None


def measure(build, below, messages, window, cpu, acknowledged=1):
    """A durable quorum queue, published with confirms, consumed and acknowledged meanwhile: so many messages with each
    acknowledgement. `cpu`: seconds of a pid."""
    with tempfile.TemporaryDirectory(dir=below) as folder:
        broker = RabbitMQ(SERVERS, pathlib.Path(folder) / "rabbitmq")
        try:
            before = sum(map(cpu, broker.pids()))
            done = subprocess.run([build / "tests/rabbitmq-bench", str(broker.port), str(messages), str(window), folder,
                                   str(acknowledged)],
                                  capture_output=True, text=True, check=True)
            spent = sum(map(cpu, broker.pids())) - before
        finally:
            broker.close()
    return {"end-to-end": int(done.stdout), "cpu-a-million": round(spent / messages * 1e6, 1)}
