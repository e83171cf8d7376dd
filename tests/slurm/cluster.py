"""A real Slurm of one node on loopback, as plain processes in one state folder.

For the tests and for ``.ci/run``: it needs the packages slurmctld, slurmd, slurm-client and munge,
touches nothing outside its state folder, and is stopped by the ids of its own processes.

    eval "$(python -m tests.slurm.cluster start STATE)"    # puts the clients first in PATH
    sbatch --wrap 'hostname'
    python -m tests.slurm.cluster stop STATE
"""

from __future__ import annotations

import os
import random
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol", "sacct", "sacctmgr")
REQUIRED = (*DAEMONS, "sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol")
# Debian installs the daemons where the PATH of a plain user does not look.
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
# Each fake GPU needs a character device of its own; these exist on every Linux.
GPU_DEVICES = ("/dev/null", "/dev/zero")

SLURM_CONF = """\
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SrunPortRange={first_client_port}-{last_client_port}
AuthType=auth/munge
AuthInfo=socket={state}/munge/munge.socket
CredType=cred/munge
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/node
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
# Nothing here needs systemd, cgroups, MPI or a database.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={state}/completed.txt
# Memory limits without cgroups: the gatherer samples each second and kills what is over.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,bf_interval=2
MinJobAge=3600
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
DefMemPerCPU=512
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


class ClusterError(RuntimeError):
    """The cluster did not start; the message ends with the tail of the log that says why."""


def missing() -> list[str]:
    """The programs of Slurm and munge that this machine lacks."""
    return [name for name in REQUIRED if shutil.which(name, path=SEARCH) is None]


@dataclass(frozen=True)
class Cluster:
    """A started cluster, known by its state folder alone.

    Attributes:
        state: Folder that holds configuration, sockets, logs and process ids.
    """

    state: Path

    @property
    def bin(self) -> Path:
        """Folder of the client wrappers, which must come first in PATH."""
        return self.state / "bin"

    def environment(self) -> dict[str, str]:
        """This process's environment with the clients first in PATH and no outer Slurm in it."""
        outer = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
        return {**outer, "PATH": os.pathsep.join([str(self.bin), outer.get("PATH", os.defpath)])}

    def client(self, *command: str) -> str:
        """Run one client command and return what it printed.

        Raises:
            subprocess.CalledProcessError: If the command fails.
        """
        return subprocess.run(
            command,
            env=self.environment(),
            executable=str(self.bin / command[0]),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout

    def job_states(self) -> dict[int, str]:
        """State of every job since the start, by job id: PENDING, RUNNING, COMPLETED, …"""
        lines = self.client("squeue", "-h", "-t", "all", "-o", "%i %T").splitlines()
        return {int(number): state for number, state in (line.split() for line in lines)}

    def log_tail(self) -> str:
        """The last lines of the logs of all three daemons."""
        parts = []
        for log in (self.state / "munge" / "munged.log", *sorted(self.state.glob("slurm*.log"))):
            if log.exists():
                lines = log.read_text(errors="replace").splitlines()[-15:]
                parts.append("\n".join([f"--- {log.name}", *lines]))
        return "\n".join(parts)


def _until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _free_ports(count: int) -> int:
    """The first of `count` consecutive loopback ports that nothing listens on now."""
    for _ in range(100):
        first = random.SystemRandom().randrange(20000, 32000 - count)
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, probe in enumerate(sockets):
                probe.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        finally:
            for probe in sockets:
                probe.close()
        return first
    raise ClusterError(f"no {count} free ports in a row between 20000 and 32000")


def _memory_mb() -> int:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1024, int(pages / 2**20 * 0.9))


def _write_configuration(state: Path) -> None:
    port = _free_ports(102)
    host = socket.gethostname().split(".")[0]
    (state / "slurm.conf").write_text(
        SLURM_CONF.format(
            name=f"lindiff{secrets.token_hex(4)}",
            host=host,
            user=subprocess.check_output(["id", "-un"], text=True).strip(),
            state=state,
            controller_port=port,
            node_port=port + 1,
            first_client_port=port + 2,
            last_client_port=port + 101,
            cpus=max(2, os.cpu_count() or 1),
            memory_mb=_memory_mb(),
            gpus=len(GPU_DEVICES),
        )
    )
    (state / "gres.conf").write_text(
        "".join(f"NodeName={host} Name=gpu File={device}\n" for device in GPU_DEVICES)
    )


def _write_wrappers(state: Path) -> None:
    # The job-step plugin drops SLURM_CONF from the environment of its inner srun, so the clients
    # set it themselves.
    (state / "bin").mkdir()
    for name in CLIENTS:
        if program := shutil.which(name, path=SEARCH):
            wrapper = state / "bin" / name
            conf = shlex.quote(str(state / "slurm.conf"))
            wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {shlex.quote(program)} "$@"\n')
            wrapper.chmod(0o755)


def _launch(state: Path, program: str, *arguments: str) -> None:
    path = shutil.which(program, path=SEARCH)
    assert path is not None, program
    log = state / f"{program}.start"
    with log.open("wb") as out:
        # The daemon must not inherit a pipe of ours: a reader would wait for its end for ever.
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            timeout=60,
            check=False,
            env={k: v for k, v in os.environ.items() if not k.startswith("SLURM_")},
            cwd=state,
        )
    if done.returncode:
        tail = f"{log.read_text(errors='replace')}\n{Cluster(state).log_tail()}"
        raise ClusterError(f"{program} did not start (exit code {done.returncode}):\n{tail}")


def start(state: Path) -> Cluster:
    """Start munged, slurmctld and slurmd, and wait until the node is idle.

    Args:
        state: Folder for everything that the cluster writes; must be empty or not exist. Sockets
            live in it, so its path must be shorter than about 80 characters; munge wants each
            folder above it to be one that everybody may enter.

    Returns:
        The started cluster.

    Raises:
        ClusterError: If a program is missing, the folder is in use, or a daemon does not start.
            What had started by then is stopped again.
    """
    if lacking := missing():
        raise ClusterError(f"not installed: {', '.join(lacking)}")
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    if any(state.iterdir()):
        raise ClusterError(f"{state} is not empty: stop the cluster in it, or name another folder")
    state.chmod(0o755)  # munged refuses a folder that others may write to or not enter
    for folder in ("munge", "controller", "node"):
        (state / folder).mkdir(mode=0o755)
    key = state / "munge" / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    _write_configuration(state)
    _write_wrappers(state)
    cluster = Cluster(state)
    try:
        munge = {
            "key-file": "munge/munge.key",
            "pid-file": "munged.pid",
            "log-file": "munge/munged.log",
            "socket": "munge/munge.socket",
            "seed-file": "munge/munge.seed",
        }
        _launch(state, "munged", *(f"--{key}={state}/{value}" for key, value in munge.items()))
        conf = str(state / "slurm.conf")
        _launch(state, "slurmctld", "-f", conf)
        _launch(state, "slurmd", "-f", conf)
        if not _until(lambda: _node_state(cluster) == "idle", 30):
            raise ClusterError(f"the node is {_node_state(cluster)!r}:\n{cluster.log_tail()}")
    except BaseException:
        stop(state)
        raise
    return cluster


def _node_state(cluster: Cluster) -> str:
    try:
        return cluster.client("sinfo", "-h", "-p", "cpu", "-o", "%T").strip()
    except subprocess.CalledProcessError as error:
        # The controller may not listen yet: the caller asks again, and reports this in the end.
        return str(error.stderr).strip()


def _job_processes(name: bytes) -> list[int]:
    """Processes of jobs of the cluster called `name`: Slurm writes it into their environment."""
    mark = b"SLURM_CLUSTER_NAME=" + name
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:  # ended meanwhile, or another user's
                continue
            if mark in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def _alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"


def _end(pids: list[int], patience: float) -> None:
    """SIGTERM, then SIGKILL to those that are still there after `patience` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in filter(_alive, pids):
            try:
                os.kill(pid, number)
            except ProcessLookupError:  # it ended between the question and the signal
                continue
        if _until(lambda: not any(map(_alive, pids)), patience):
            return


def _daemon_pid(state: Path, program: str) -> int | None:
    """The id in a daemon's pid file, if it is still that daemon of this state folder."""
    try:
        pid = int((state / f"{program}.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if program.encode() in command and str(state).encode() in command else None


def stop(state: Path) -> None:
    """Cancel all jobs, end what survives of them, then the daemons; each by its process id.

    Safe to call twice, and on a cluster that only half started. The state folder stays, for its
    logs.
    """
    state = state.resolve()
    cluster = Cluster(state)
    conf = state / "slurm.conf"
    if not conf.exists():
        return
    name = conf.read_text().splitlines()[0].partition("=")[2].encode()
    if _daemon_pid(state, "slurmctld") is not None:
        try:
            user = conf.read_text().partition("SlurmUser=")[2].partition("\n")[0]
            cluster.client("scancel", "--quiet", f"--user={user}")
            _until(lambda: not cluster.client("squeue", "-h").strip(), 10)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"scancel failed, ending the jobs by process id: {error}", file=sys.stderr)
    # A slurmd that is told to end while its node still runs something waits for it.
    _end(_job_processes(name), 3)
    for program in reversed(DAEMONS):
        if (pid := _daemon_pid(state, program)) is not None:
            _end([pid], 10)
    _end(_job_processes(name), 3)  # what a step started between the first look and slurmd's end


@contextmanager
def controller_down(cluster: Cluster) -> Iterator[None]:
    """The controller is down for the length of a ``with`` block; jobs on the node go on.

    Raises:
        ClusterError: It does not start again, or does not answer within 30 s.
    """
    pid = _daemon_pid(cluster.state, "slurmctld")
    assert pid is not None
    _end([pid], 30)
    try:
        yield
    finally:
        _launch(cluster.state, "slurmctld", "-f", str(cluster.state / "slurm.conf"))
        if not _until(lambda: _node_state(cluster) in ("idle", "mixed", "allocated"), 30):
            raise ClusterError(f"the node is {_node_state(cluster)!r}:\n{cluster.log_tail()}")


@contextmanager
def running(state: Path) -> Iterator[Cluster]:
    """A cluster for the length of a ``with`` block."""
    cluster = start(state)
    try:
        yield cluster
    finally:
        stop(state)


def main(arguments: list[str]) -> int:
    """The command line: ``start STATE`` prints the PATH to evaluate, ``stop STATE`` ends it."""
    match arguments:
        case ["start", folder]:
            try:
                cluster = start(Path(folder))
            except ClusterError as error:
                print(f"slurm: {error}", file=sys.stderr)
                return 1
            print(f'export PATH={shlex.quote(str(cluster.bin))}:"$PATH"')
            return 0
        case ["stop", folder]:
            stop(Path(folder))
            return 0
    print("usage: python -m tests.slurm.cluster start|stop STATE", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
