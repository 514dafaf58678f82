"""Fixtures of the system tests; what they give is in harness.py. And the order in which they run."""
import pytest

from harness import Agent, Partner, Sshd, install


def shares(item):
    """Does it share an agent with others of its file?"""
    definitions = getattr(item, "_fixtureinfo").name2fixturedefs.values()
    return any(definition.scope == "module" for found in definitions for definition in found)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The longest begin first, so that none is left over at the end; tests that share an agent stay with one worker."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        if shares(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def installation():
    installed = install()
    yield installed
    installed.remove()


@pytest.fixture
def agent(installation):
    """An agent that is not started yet: write its conf.d, then agent.start()."""
    one = Agent(installation)
    yield one
    one.close()


@pytest.fixture
def agents(installation):
    """A function that makes agents."""
    made = []

    def make():
        made.append(Agent(installation))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def sshd(installation):
    """OpenSSH's server, running."""
    if Sshd.binary() is None:
        pytest.skip("OpenSSH's server could not be fetched (see build/logs/servers.log)")
    server = Sshd(installation.folder())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def partner(installation):
    """A function that makes SFTP servers in this process: partner(server=..., **options of asyncssh.listen)."""
    made = []

    def make(**how):
        made.append(Partner(installation.folder(), **how))
        return made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def not_run(record_property):
    """Says that a part of a test could not run here: not_run("probe-x", "this kernel forbids it")."""
    return lambda name, why: record_property("not-run", f"{name}: {why}")
