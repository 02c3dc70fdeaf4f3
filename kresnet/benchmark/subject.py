"""The measuring side of a measured process."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from kresnet import errors


class Subject:
    """A process that trains and is asked how long parts of it take.

    Args:
        name: For tables and messages.
        program: Its arguments after the Python interpreter.
        environment: What is set for it besides this process's environment.

    Raises:
        KresnetError: What the process could not do, said in its words.
        RuntimeError: It ended without an answer.
    """

    def __init__(
        self,
        name: str,
        program: Sequence[str],
        environment: Mapping[str, str],
    ):
        self.name = name
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={**os.environ, **environment},
        )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def run(self, part: str, iterations: int) -> dict:
        """Asks for a part; see `kresnet.benchmark.serving`."""
        request = json.dumps({"part": part, "iterations": iterations})
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended: its last words follow
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._said.seek(0)
            last = self._said.read().strip()[-2_000:]
            raise RuntimeError(f"{self.name} ended with code {code}: {last}")
        answer = json.loads(line)
        if "error" in answer:
            first, *more = answer["error"]
            raise _error(answer["kind"])(f"{self.name}: {first}", *more)
        return answer


def _error(name: str) -> type[errors.KresnetError]:
    kinds = {
        kind.__name__: kind for kind in errors.KresnetError.__subclasses__()
    }
    return kinds.get(name, errors.KresnetError)
