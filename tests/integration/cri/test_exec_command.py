"""Commands in containers, through the command line and a real terminal."""

import asyncio
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from containers import casemate_on, command_line, started_container

from casemate.engine.containerd import process
from casemate.engine.cri import stream
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import EngineUnreachable
from casemate.engine.paths import EnginePaths
from casemate.errors import IncompleteError

pytestmark = pytest.mark.root


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_commands(node: EnginePaths, pod: str, code: int) -> None:
    done = casemate_on(node, "exec", pod, "-c", "main", "--", "sh", "-c", f"echo out; echo err >&2; exit {code}")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", code)


def test_a_killed_command_ends_with_128_and_the_signal(node: EnginePaths, pod: str) -> None:
    assert casemate_on(node, "exec", pod, "-c", "main", "--", "sh", "-c", "kill -9 $$").returncode == 137


@pytest.mark.parametrize("size", [0, 1, 100_000, 20_000_000])
def test_the_end_of_stdin_reaches_the_command(node: EnginePaths, pod: str, size: int) -> None:
    text = b"x" * size
    done = casemate_on(node, "exec", "-i", pod, "-c", "main", "--", "cat", stdin=text)
    assert done.returncode == 0, done.stderr
    assert done.stdout == text


def test_without_i_the_command_sees_an_empty_stdin(node: EnginePaths, pod: str) -> None:
    assert casemate_on(node, "exec", pod, "-c", "main", "--", "wc", "-c", stdin=b"lost").stdout.strip() == b"0"


def test_stdin_may_be_a_file(node: EnginePaths, pod: str, tmp_path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"from a file")
    with path.open("rb") as stdin:
        command = command_line("exec", "-i", pod, "-c", "main", "--", "cat", engine=node)
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=30, check=False)
    assert done.stdout == b"from a file"


def test_options_after_the_dashes_are_the_commands(node: EnginePaths, pod: str) -> None:
    done = casemate_on(node, "exec", pod, "-c", "main", "--", "echo", "-it", "--engine", "x", "--debug", "--", "y")
    assert done.stdout == b"-it --engine x --debug -- y\n"


WRONG_USES = [
    (("exec", "POD"), 2, b"no command"),
    (("exec", "nobody", "--", "true"), 2, b"there is no Pod 'nobody'"),
    (("exec", "elsewhere/POD", "--", "true"), 2, b"there is no Pod"),
    (("exec", "POD", "-c", "third", "--", "true"), 2, b"main, second"),
    (("exec", "POD", "--", "nope"), 1, b"nope"),
    (("logs", "POD", "-c", "third"), 2, b"no container 'third'"),
    (("logs", "POD", "-c", "main", "--previous"), 2, b"not restarted"),
    (("logs", "POD", "--tail", "-1"), 2, b"--tail"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG_USES)
def test_a_wrong_use_says_what_is_wrong(
    node: EnginePaths, pod: str, arguments: tuple[str, ...], code: int, said: bytes
) -> None:
    done = casemate_on(node, *(each.replace("POD", pod) for each in arguments))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


class Terminal:
    """A program on a terminal of its own, as a user would have it."""

    def __init__(self, command: list[str], columns: int, rows: int) -> None:
        self._master, slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        self.seen = b""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: bytes) -> None:
        os.write(self._master, text)

    def wait_for(self, text: bytes, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self._master, 4096)

    def attributes(self) -> list:
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def shell(node: EnginePaths, pod: str):
    terminal = Terminal(command_line("exec", "-it", pod, "-c", "main", "--", "sh", engine=node), 101, 37)
    terminal.wait_for(b"# ")
    yield terminal
    terminal.close()


def test_a_shell_on_a_terminal_has_its_size_and_follows_its_changes(shell: Terminal) -> None:
    shell.type(b"sleep 0.3; stty size; tty\n")
    shell.wait_for(b"37 101")
    shell.wait_for(b"/dev/pts/")
    shell.resize(90, 20)
    os.killpg(shell.process.pid, 28)  # SIGWINCH, which the kernel sends to the terminal's foreground
    shell.type(b"sleep 0.3; stty size\n")
    shell.wait_for(b"20 90")


def test_control_c_ends_the_command_not_us_and_the_exit_code_comes_through(shell: Terminal) -> None:
    shell.type(b"sh -c \"trap 'echo cau''ght; exit' INT; echo re''ady; sleep 1000 & wait\"\n")
    shell.wait_for(b"ready")
    shell.type(b"\x03")
    shell.wait_for(b"caught")
    shell.type(b"echo alive-$((40+2)); exit 9\n")
    shell.wait_for(b"alive-42")
    assert shell.process.wait(10) == 9
    assert shell.attributes() == shell.before


def test_the_end_of_input_on_a_terminal_ends_the_shell(shell: Terminal) -> None:
    shell.type(b"\x04")
    assert shell.process.wait(10) == 0


def test_without_a_terminal_t_goes_on_without_one(node: EnginePaths, pod: str) -> None:
    done = casemate_on(node, "exec", "-it", pod, "-c", "main", "--", "cat", stdin=b"piped")
    assert done.stdout == b"piped"
    assert b"no terminal" in done.stderr


def test_input_that_a_command_leaves_unread_does_not_hang_us(in_sandbox, monkeypatch) -> None:
    monkeypatch.setattr(stream, "STATUS_SECONDS", 1.0)

    async def leave_unread(client: CriClient, sandbox) -> None:
        container = await started_container(client, sandbox, ["sleep", "100"])
        url = await client.exec_url(container, ["head", "-c", "5"], stdin=True, tty=False)
        async with asyncio.timeout(10), stream.connect(url, stdin=True, tty=False) as session:
            sending = asyncio.create_task(session.send(b"y" * 5_000_000))
            said = b""
            try:
                async for output in session.output():
                    said += output.data
                assert session.exit_code == 0
            except IncompleteError:  # containerd's own fault (it waits for its FIFO): said, not waited for
                pass
            sending.cancel()
            assert said == b"yyyyy"

    in_sandbox(leave_unread)


def test_attaching_shows_what_the_containers_own_process_writes(in_sandbox) -> None:
    async def attach(client: CriClient, sandbox) -> None:
        container = await started_container(client, sandbox, ["sh", "-c", "sleep 1; echo hello; sleep 0.2"])
        url = await client.attach_url(container, stdin=False, tty=False)
        async with asyncio.timeout(15), stream.connect(url, stdin=False, tty=False) as session:
            said = b"".join([output.data async for output in session.output()])
        assert said == b"hello\n"

    in_sandbox(attach)


def test_an_address_is_good_once(in_sandbox) -> None:
    async def use_twice(client: CriClient, sandbox) -> None:
        container = await started_container(client, sandbox, ["sleep", "100"])
        url = await client.exec_url(container, ["true"], stdin=False, tty=False)
        async with stream.connect(url, stdin=False, tty=False) as session:
            assert [output async for output in session.output()] == []
            assert session.exit_code == 0
        with pytest.raises(stream.RuntimeFault, match="404"):
            async with stream.connect(url, stdin=False, tty=False):
                pass

    in_sandbox(use_twice)


def test_a_containerd_that_dies_ends_the_session_with_a_fault(in_sandbox, node: EnginePaths) -> None:
    async def lose(client: CriClient, sandbox) -> None:
        container = await started_container(client, sandbox, ["sleep", "100"])
        command = command_line("exec", sandbox[1].metadata.name, "--", "sh", "-c", "echo here; sleep 100", engine=node)
        lost = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert lost.stdout
        assert lost.stderr
        async with asyncio.timeout(20):
            assert await lost.stdout.readline() == b"here\n"
            pid = process.running(node)
            assert pid
            os.kill(pid, signal.SIGKILL)
            assert await lost.wait() == 1
            assert b"the connection was lost" in await lost.stderr.read()
            await asyncio.to_thread(process.start, node)
            while True:
                with contextlib.suppress(EngineUnreachable):
                    assert (await client.exec_sync(container, ["echo", "again"])).stdout == b"again\n"
                    return

    in_sandbox(lose)


def test_an_engine_that_was_never_started_is_missing() -> None:
    done = casemate_on(EnginePaths("never-started"), "exec", "pod", "--", "true")
    assert done.returncode == 3
    assert b"casemate engine start" in done.stderr
