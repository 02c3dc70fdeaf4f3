"""A real SLURM of two nodes, and two hosts, on this machine."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

# One host plays both nodes. Without accounting, cgroups and systemd.
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=30
SlurmdTimeout=20
InactiveLimit=0
MinJobAge=300
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} {node}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} {node}
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=1:00:00 PriorityTier=1
PartitionName=urgent Nodes=n1,n2 MaxTime=1:00:00 PriorityTier=10 PreemptMode=OFF
"""
NODE = "CPUs=1 RealMemory=4000"  # MB
# As SLURM's jobs of one CPU have them here; the bits depend on it.
ONE_THREAD = {
    "NPROC": "1",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
PROGRAMS = "munged", "slurmctld", "slurmd", "srun", "sbatch"
HOST_PROGRAMS = "ip", "nsenter", "unshare", "iptables"


def reason_without_slurm() -> str | None:
    """Says why SLURM cannot be started here."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return None if os.geteuid() == 0 else "needs root"


def reason_without_hosts() -> str | None:
    """Says why two hosts cannot be made here."""
    missing = [name for name in HOST_PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if os.geteuid():
        return "needs root"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "true"], capture_output=True
    )
    return "namespaces are not allowed" if tried.returncode else None


class Slurm:
    """A SLURM in a folder; a context manager.

    Attributes:
        environment: What its clients need besides this process's own.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> "Slurm":
        folder = self.folder
        for name in ("state", "log", "spool.n1", "spool.n2", "munge"):
            (folder / name).mkdir(parents=True)
        # munge's programs of other users must reach the socket.
        (folder / "munge").chmod(0o711)
        host = socket.gethostname().split(".")[0]
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=folder, host=host, ports=_ports(3), node=NODE
            )
        )
        key = folder / "munge" / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        munge = folder / "munge"
        self.call(
            *("munged", "--force", f"--key-file={key}"),
            *(f"--socket={munge}/socket", f"--pid-file={munge}/pid"),
            *(f"--log-file={folder}/log/munged", f"--seed-file={munge}/seed"),
        )
        self.call("slurmctld", "-c")
        for node in ("n1", "n2"):
            self.start_node(node)
        give_up = time.monotonic() + 60
        while (
            self.call("sinfo", "-h", "-N", "-o", "%T").split() != ["idle"] * 4
        ):
            assert time.monotonic() < give_up, self.call("sinfo", "-N", "-l")
            time.sleep(0.5)
        return self

    def __exit__(self, *_) -> None:
        files = [*self.folder.glob("slurmd.*.pid")]
        files += [self.folder / "slurmctld.pid", self.folder / "munge" / "pid"]
        for file in files:
            _end(file)

    def start_node(self, node: str) -> None:
        """Starts a node."""
        self.call("slurmd", "-N", node)

    def lose_node(self, node: str) -> None:
        """Kills what runs on a node, as if its machine were gone."""
        file = self.folder / f"slurmd.{node}.pid"
        doomed = [int(file.read_text())]
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                about = (process / "environ").read_bytes().split(b"\0")
                if f"SLURMD_NODENAME={node}".encode() in about and (
                    f"SLURM_CONF={self.folder}/slurm.conf".encode() in about
                ):
                    doomed.append(int(process.name))
        for number in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        file.unlink(missing_ok=True)

    def call(self, *command: str) -> str:
        """Runs a command; returns what it says."""
        ran = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    def preempt(self, seconds: int) -> None:
        """Lets something more urgent have both nodes for a while."""
        self.call(
            *(
                "sbatch",
                "--partition=urgent",
                "--nodes=2",
                "--output=/dev/null",
            ),
            *("--job-name=urgent", f"--wrap=sleep {seconds}"),
        )


class Hosts:
    """Two hosts, `n1` and `n2`: network namespaces; a context manager.

    Attributes:
        addresses: Of each host.
    """

    addresses = {"n1": "10.77.0.1", "n2": "10.77.0.2"}  # noqa: RUF012

    def __init__(self, folder: Path):
        self.folder = folder
        lines = ["127.0.0.1 localhost"]
        lines += [f"{ip} {name}" for name, ip in self.addresses.items()]
        (folder / "hosts").write_text("\n".join(lines) + "\n")
        # Others on this machine may have two hosts too.
        self.names = {
            name: f"kresnet-{os.getpid()}-{name}" for name in self.addresses
        }

    def __enter__(self) -> "Hosts":
        n1, n2 = self.names.values()
        for name in (n1, n2):
            _run("ip", "netns", "add", name)
        _run(
            *("ip", "link", "add", "veth1", "netns", n1, "type", "veth"),
            *("peer", "name", "veth2", "netns", n2),
        )
        for i, name in enumerate((n1, n2), start=1):
            address = f"10.77.0.{i}/24"
            _run("ip", "-n", name, "addr", "add", address, "dev", f"veth{i}")
            _run("ip", "-n", name, "link", "set", f"veth{i}", "up")
            _run("ip", "-n", name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_) -> None:
        for name in self.names.values():
            _run("ip", "netns", "del", name)

    def command(self, host: str) -> list[str]:
        """What stands before a command that runs on a host."""
        script = (
            'hostname "$1"; mount --bind "$2" /etc/hosts; shift 2; exec "$@"'
        )
        # Not `ip netns exec`: it mounts a new /sys, without cgroups.
        return [
            *("nsenter", f"--net=/run/netns/{self.names[host]}"),
            *("unshare", "--mount", "--uts", "sh", "-c", script, "-"),
            *(host, str(self.folder / "hosts")),
        ]

    def lose_packets(self, share: float) -> None:
        """Lets each host lose this share of what reaches it."""
        for name in self.names.values():
            filtered = ["ip", "netns", "exec", name, "iptables"]
            _run(*filtered, "-F", "INPUT")
            if share:
                _run(
                    *(*filtered, "-A", "INPUT", "-m", "statistic", "--mode"),
                    *("random", "--probability", f"{share}", "-j", "DROP"),
                )


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, (command, ran.stderr)


def _ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _end(pid_file: Path) -> None:
    """Ends the process of a file, and waits for it."""
    with contextlib.suppress(OSError, ValueError):
        number = int(pid_file.read_text())
        os.kill(number, signal.SIGTERM)
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up:
            os.kill(number, 0)
            time.sleep(0.1)
        os.kill(number, signal.SIGKILL)
