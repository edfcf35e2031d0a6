import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from seqcfg.errors import UserError
from seqcfg.runs.lock import RunLock, seconds_since_beat

HOLDER = textwrap.dedent(
    """
    import sys
    from seqcfg.runs.lock import RunLock
    with RunLock(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.readline()
    """
)


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_works_there(tmp_path, holder):
    with pytest.raises(UserError, match=f"is in use by pid {holder.pid} since 20..-..-"):
        RunLock(tmp_path).acquire()


def test_r11_kill_9_leaves_nothing_to_clean_up(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with RunLock(tmp_path) as lock:
        assert lock.is_held()


def test_a_released_lock_is_free_and_names_nobody(tmp_path, holder):
    holder.communicate("\n")
    assert (tmp_path / "lock").read_bytes() == b""
    with RunLock(tmp_path):
        pass


def test_two_locks_in_one_process_exclude_one_another(tmp_path):
    with RunLock(tmp_path), pytest.raises(UserError, match=f"pid {os.getpid()}"):
        RunLock(tmp_path).acquire()


def test_r12_an_owner_on_another_machine_is_never_overruled(tmp_path):
    owner = {"pid": 1, "process_start": "0", "boot": "other", "machine": "abc", "since": "2026-01-01T00:00:00+00:00", "nonce": "n"}
    (tmp_path / "lock").write_text(json.dumps(owner))
    with pytest.raises(UserError, match="another machine .id abc.; if that machine has stopped, delete"):
        RunLock(tmp_path).acquire()


def test_an_owner_from_before_a_reboot_of_this_machine_is_dead(tmp_path):
    with RunLock(tmp_path):
        owner = json.loads((tmp_path / "lock").read_text())
    (tmp_path / "lock").write_text(json.dumps({**owner, "boot": "before"}))
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize("content", [b'{"pid": 1', b"\x00" * 20, b"[]", b"null"])
def test_a_torn_owner_is_dead(tmp_path, content):
    (tmp_path / "lock").write_bytes(content)
    with RunLock(tmp_path):
        pass


def test_without_kernel_locks_the_process_table_decides(tmp_path, monkeypatch):
    monkeypatch.setattr("seqcfg.runs.lock.fcntl", None)
    with RunLock(tmp_path):
        with pytest.raises(UserError, match="in use"):
            RunLock(tmp_path).acquire()
        owner = json.loads((tmp_path / "lock").read_text())
    (tmp_path / "lock").write_text(json.dumps({**owner, "process_start": "1"}))  # the number was given to another process since
    with RunLock(tmp_path):
        pass


def test_the_owner_gives_signs_of_life_that_others_can_see(tmp_path, monkeypatch):
    monkeypatch.setattr("seqcfg.runs.lock.BEAT_SECONDS", 0.0)
    assert seconds_since_beat(tmp_path) is None
    with RunLock(tmp_path) as lock:
        os.utime(tmp_path / "lock", (0, 0))
        assert seconds_since_beat(tmp_path) > 1e6
        with pytest.raises(UserError, match="last sign of life"):
            RunLock(tmp_path).acquire()
        lock.beat()
        assert seconds_since_beat(tmp_path) < 60
    assert seconds_since_beat(tmp_path) is None


def test_who_has_lost_the_lock_may_not_write(tmp_path):
    with RunLock(tmp_path) as lock:
        lock.require()
        (tmp_path / "lock").unlink()
        with pytest.raises(UserError, match="taken away"):
            lock.require()


def test_a_lock_taken_away_is_noticed(tmp_path):
    with RunLock(tmp_path) as lock:
        (tmp_path / "lock").unlink()
        assert not lock.is_held()
        with RunLock(tmp_path) as other:
            assert other.is_held() and not lock.is_held()


def test_the_machine_s_name_is_not_written(tmp_path):
    import platform

    with RunLock(tmp_path):
        assert platform.node() not in (tmp_path / "lock").read_text()


RACE = textwrap.dedent(
    """
    import os, sys
    from seqcfg.errors import UserError
    from seqcfg.runs.lock import RunLock

    for round in range(25):
        go_read, go_write = os.pipe()
        told_read, told_write = os.pipe()
        end_read, end_write = os.pipe()
        children = []
        for _ in range(8):
            child = os.fork()
            if not child:
                os.close(end_write)
                os.read(go_read, 1)
                try:
                    RunLock(sys.argv[1]).acquire()
                    os.write(told_write, b"1")
                except UserError:
                    os.write(told_write, b"0")
                os.read(end_read, 1)  # the winner holds it until all have tried
                os._exit(0)
            children.append(child)
        os.write(go_write, b"g" * 8)
        answers = b"".join(os.read(told_read, 1) for _ in range(8))
        os.close(end_write)
        for child in children:
            os.waitpid(child, 0)
        assert answers.count(b"1") == 1, (round, answers)
    """
)


def test_r10_of_eight_that_start_together_exactly_one_proceeds(tmp_path):
    done = subprocess.run([sys.executable, "-c", RACE, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
