"""A simulator in a process of its own, asked over standard input, answering on standard output.

Each worker builds its networks once and runs them when asked, so that the runs of several
simulators can take turns. One line of JSON is one message.
"""

import json
import os
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path


def serve(build, run):
    """Answer requests: `build(problem, options)` gives facts, `run(name, options)` gives counts."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    for line in sys.stdin:
        request = json.loads(line)
        try:
            function = {"build": build, "run": run}[request.pop("do")]
            answer = function(**request)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def has_avx512():
    """Whether Linux says that the processor has vectors of 512 bits."""
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def wide_vectors():
    """XLA_FLAGS for spiking networks, for all processes with JAX, whosever code they run."""
    return "--xla_cpu_prefer_vector_width=512" if has_avx512() else ""


class Stopwatch:
    """Wall seconds and processor seconds (all threads, ended children) of a block of code."""

    def __enter__(self):
        self.begun = time.perf_counter(), used()
        return self

    def __exit__(self, *_):
        self.wall = time.perf_counter() - self.begun[0]
        self.cpu = used() - self.begun[1]


def used():
    """Processor seconds until now."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Worker:
    """A worker seen from the outside."""

    def __init__(self, name, python, script, core=None, log=None, flags=""):
        self.name = name
        environment = {
            "XLA_FLAGS": flags,
            **os.environ,
            "PJRT_NPROC": "1",
            "OMP_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "1",
            "JAX_PLATFORMS": "cpu",
        }
        pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
        self.process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            text=True, env=environment, preexec_fn=pin,
        )  # fmt: skip

    def ask(self, **request):
        """Send one request and wait for its answer."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
            while line and not line.startswith("{"):  # a banner of a library
                line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"{self.name}: the process ended, code {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def close(self):
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=60)
