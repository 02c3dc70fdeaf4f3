"""Generated, mutated and hostile specs: accepted, or refused line by line.

Imports nothing heavy: the memory of a process that runs it is that of reading
specs. `python tests/faults/specs.py FOLDER TIMES COMMANDS SEED` is what the
campaign starts.
"""

import dataclasses
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent))

from faults.generated_specs import contents, overrides
from faults.hostile import CORPUS

from kresnet.architecture import census
from kresnet.errors import SpecError
from kresnet.spec import dump_spec, load_spec

SECONDS, MEGABYTES = 1.0, 300
_LINE = re.compile(r"(x\.yaml(:\d+:\d+)?|--set .*?): .+", re.DOTALL)


def check(content, changes=()):
    """Reads a spec in the current folder.

    Returns:
        The lines of the message; none for a spec that is accepted.
    """
    with open("x.yaml", "wb") as file:
        file.write(content)
    try:
        spec = load_spec("x.yaml", changes)
        census(spec.model)  # as `kresnet check` does
    except SpecError as error:
        lines = str(error).split("\n")
        for line in lines:
            if not (_LINE.fullmatch(line) and line.isprintable()):
                raise AssertionError(f"no message: {line!r}") from error
            if len(line) > 600:
                raise AssertionError(f"long: {line!r}") from error
        if len(set(lines)) < len(lines):
            raise AssertionError(f"twice: {lines}") from error
        return lines
    with open("x.yaml", "w", encoding="utf-8") as file:
        file.write(dump_spec(spec))
    if load_spec("x.yaml") != spec:
        raise AssertionError("not the same when it is written and read again")
    return []


# Between us and the command, whose memory would else count as ours at least.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def check_command(content):
    """Reads a spec with `kresnet check`; the same must come out.

    Returns:
        CPU-seconds and megabytes that the command took.
    """
    want = check(content)
    with open("x.yaml", "wb") as file:
        file.write(content)
    command = [sys.executable, "-m", "kresnet", "check", "x.yaml"]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command],
        capture_output=True,
        env={**os.environ, "PYTHONUTF8": "1"},
        check=True,
    )
    code, seconds, megabytes = map(float, done.stdout.split())
    said = done.stderr.decode()
    if code != (2 if want else 0):
        raise AssertionError(f"exit code {code}: {said}")
    if said != "".join(f"{line}\n" for line in want):
        raise AssertionError(f"{said!r} instead of {want}")
    return seconds, megabytes


@dataclasses.dataclass
class Specs:
    """What came of generated specs.

    Attributes:
        different: How many different ones were read.
        accepted: How many of them were.
        problems: Lines of the messages about the others.
        slowest: CPU-seconds of the slowest.
        samples: Some of them, evenly spread.
        wrong: Those that were neither accepted nor refused as they must.
    """

    different: int = 0
    accepted: int = 0
    problems: int = 0
    slowest: float = 0.0
    samples: list = dataclasses.field(default_factory=list)
    wrong: list = dataclasses.field(default_factory=list)


def read_many(folder, times, commands, number):
    """Reads the corpus and generated specs, so many in all.

    Args:
        folder: Where the file is written.
        times: How many, different ones.
        commands: How many of them to return as samples.
        number: Seed.

    Returns:
        What came of it, as `Specs`.
    """
    found, known = Specs(), set()

    def read(content, changes=()):
        key = hash((content, *changes))
        if key in known or len(known) >= times:
            return
        known.add(key)
        start = time.process_time()
        try:
            lines = check(content, changes)
        except Exception as error:  # whatever it is, it is told
            found.wrong.append((content, changes, error))
            return
        found.slowest = max(found.slowest, time.process_time() - start)
        if len(known) % max(1, times // commands) == 0:
            found.samples.append(content)
        found.accepted += not lines
        found.problems += len(lines)

    @seed(number)
    @settings(
        max_examples=2 * times,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(contents, st.just([]) | overrides)
    def generate(content, changes):
        read(content, changes)

    before = os.getcwd()
    os.chdir(folder)
    try:
        for content in CORPUS:
            read(content)
        generate()
    finally:
        os.chdir(before)
    if found.wrong:
        content, changes, error = min(found.wrong, key=lambda w: len(w[0]))
        raise AssertionError(
            f"{len(found.wrong)} specs; {content[-2_000:]!r}, {changes}"
        ) from error
    found.different = len(known)
    return found


def own_megabytes():
    """Most memory that this process had so far, by Linux."""
    # What `getrusage` says includes the process we come from.
    status = Path("/proc/self/status").read_text("ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def main(folder, times, commands, number):
    """The program: reads specs, says what came of it, checks the limits."""
    found = read_many(folder, int(times), int(commands), int(number))
    own = own_megabytes()
    os.chdir(folder)
    used = [check_command(content) for content in found.samples]
    seconds, megabytes = map(max, zip(*used, strict=True))
    print(
        f"{found.different:,} specs: {found.accepted:,} accepted, the others "
        f"refused with {found.problems:,} problems; at most "
        f"{found.slowest:.2f} CPU-seconds, all in {own:.0f} MB"
    )
    print(
        f"{len(used)} of them as commands: at most {seconds:.2f} CPU-seconds "
        f"and {megabytes:.0f} MB"
    )
    if max(found.slowest, seconds) > SECONDS or max(own, megabytes) > MEGABYTES:
        sys.exit(f"more than {SECONDS} s or {MEGABYTES} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
