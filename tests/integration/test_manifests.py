"""Every manifest of the corpus runs as its header says (see `expectations`)."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import Casemate
from expectations import MANIFESTS, Expectation, differences, expectation, manifests, named

pytestmark = pytest.mark.root

Items = list[dict[str, object]]


@pytest.mark.parametrize("manifest", manifests(), ids=lambda path: str(path.relative_to(MANIFESTS).with_suffix("")))
def test_the_manifest_runs_as_its_header_says(
    manifest: Path, empty_engine: str, casemate: Casemate, with_images: list[str]
) -> None:
    expected = expectation(manifest)
    if differs_here(expected.needs):
        pytest.skip(f"this machine is not {expected.needs}")
    done = casemate("run", "-f", manifest, *with_images, *options(expected), "-o", "json")
    try:
        problems = list(all_problems(expected, done.returncode, done.stdout, done.stderr, casemate))
    finally:
        for path in expected.host_clean:
            shutil.rmtree(path, ignore_errors=True)
    assert not problems, "\n".join([*problems, f"exit {done.returncode}", done.stdout[-3000:], done.stderr[-3000:]])


def options(expected: Expectation) -> list[str]:
    return [*expected.run] if "--timeout" in expected.run else [*expected.run, "--timeout", "60"]


def all_problems(expected: Expectation, code: int, stdout: str, stderr: str, casemate: Casemate) -> Iterator[str]:
    if code not in expected.exits:
        yield f"exit code {code}, not {expected.exits}"
        return
    if "Traceback" in stderr:
        yield "a traceback"
    if code:
        yield from (f"stderr lacks {each!r}" for each in expected.stderr if not re.search(each, stderr))
    if not stdout:
        yield from ["nothing on stdout"] if code == 0 else []
        return
    items: Items = json.loads(stdout)["items"]
    yield from result_problems(expected, items)
    yield from log_problems(expected, items, casemate)
    yield from eventual_problems(expected, casemate)
    yield from exec_problems(expected, casemate)
    yield from http_problems(expected)


def result_problems(expected: Expectation, items: Items) -> Iterator[str]:
    if expected.count is not None and len(items) != expected.count:
        yield f"{len(items)} Pods, not {expected.count}"
    for pattern, parts in expected.pods.items():
        found = named(items, pattern)
        if not found:
            yield f"no Pod is called {pattern}"
        for item in found:
            yield from differences(parts, item, str(item["name"]))


def log_problems(expected: Expectation, items: Items, casemate: Casemate) -> Iterator[str]:
    for wanted, table in ((True, expected.logs), (False, expected.no_logs)):
        for key, patterns in table.items():
            pod, _, container = key.partition("/")
            text = log(pod, container, items, casemate)
            for pattern in patterns:
                if bool(re.search(pattern, text, re.MULTILINE)) is not wanted:
                    yield f"log of {key} {'lacks' if wanted else 'has'} {pattern!r}:\n{text}"


def log(pattern: str, container: str, items: Items, casemate: Casemate) -> str:
    found = named(items, pattern)
    if not found:
        return f"(no Pod is called {pattern})"
    choice = ("-c", container) if container else ()
    done = casemate("logs", str(found[0]["name"]), *choice)
    return done.stdout + done.stderr


def eventual_problems(expected: Expectation, casemate: Casemate) -> Iterator[str]:
    if not expected.eventually:
        return
    deadline = time.monotonic() + 60
    while True:
        items = json.loads(casemate("ps", "-o", "json").stdout)["items"]
        left = [
            problem
            for pattern, parts in expected.eventually.items()
            for item in named(items, pattern)
            for problem in differences(parts, item, pattern)
        ]
        if not left or time.monotonic() > deadline:
            yield from left
            return
        time.sleep(0.5)


def exec_problems(expected: Expectation, casemate: Casemate) -> Iterator[str]:
    for each in expected.exec:
        choice = ("-c", each.container) if each.container else ()
        done = casemate("exec", each.pod, *choice, "--", *each.command)
        if done.returncode != each.exit:
            yield f"exec {each.command} in {each.pod} ended with {done.returncode}, not {each.exit}: {done.stderr}"
        elif not re.search(each.stdout, done.stdout, re.MULTILINE):
            yield f"exec {each.command} in {each.pod} wrote {done.stdout!r}, not {each.stdout!r}"


def http_problems(expected: Expectation) -> Iterator[str]:
    for url, pattern in expected.http.items():
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        if not re.search(pattern, text):
            yield f"{url} answered {text!r}, not {pattern!r}"


def differs_here(needs: str) -> bool:
    modules = Path("/sys/kernel/security/lsm").read_text() if Path("/sys/kernel/security/lsm").exists() else ""
    return bool(needs) and needs.removeprefix("no-") in modules
