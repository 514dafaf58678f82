"""The partner ends that the other tests rely on are what they claim to be."""
import asyncio

import asyncssh

from harness import Key, wait_for


async def upload(partner, content, key=None, host_key=None):
    host = (host_key or partner.host_key).public.split(maxsplit=2)
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{partner.port} {host[0]} {host[1]}\n")
    async with asyncssh.connect("127.0.0.1", partner.port, username=partner.user, known_hosts=known,
                                client_keys=[(key or partner.user_key).key], agent_path=None, config=None) as connection:
        async with connection.start_sftp_client() as sftp:
            async with sftp.open("plan.edi", "wb") as file:
                await file.write(content)


def refused(problem, work):
    try:
        asyncio.run(work)
    except problem:
        return True
    return False


def test_sshd_takes_a_file_from_the_key_it_knows(sshd):
    asyncio.run(upload(sshd, b"UNB+"))
    assert (sshd.files / "plan.edi").read_bytes() == b"UNB+"


def test_sshd_refuses_another_key_and_says_so_in_its_log(sshd):
    assert refused(asyncssh.PermissionDenied, upload(sshd, b"", key=Key()))
    wait_for(lambda: "Failed publickey" in sshd.log() or "Connection closed by authenticating user" in sshd.log(),
             "sshd to log the refusal")


def test_sshd_with_a_changed_host_key_is_noticed(sshd):
    known = sshd.host_key
    sshd.stop()
    sshd.change_host_key()
    sshd.start()
    assert refused(asyncssh.HostKeyNotVerifiable, upload(sshd, b"", host_key=known))


def test_partner_in_this_process_takes_a_file(partner):
    one = partner()
    asyncio.run(upload(one, b"UNB+"))
    assert (one.files / "plan.edi").read_bytes() == b"UNB+"
    assert refused(asyncssh.PermissionDenied, upload(one, b"", key=Key()))
