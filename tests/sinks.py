"""Everywhere that data could leave by the way: logs, metrics, traces, URLs, object keys, queues.

A mark is a value that was planted and is looked for in all its spellings: as it is, without its
punctuation, percent-encoded, in JSON's escapes, in base64.
"""

import base64
import contextlib
import io
import json
import logging
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from tests import route_faults
from tests.route_faults import How, Run

Marks = Mapping[str, frozenset[str]]


@dataclass
class Sinks:
    """What came out during a block."""

    run: Run
    lines: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)

    def leaks(self, marks: Marks, capture: pytest.CaptureFixture[str]) -> list[str]:
        """Where which mark stands that may not."""
        out, err = capture.readouterr()
        for line in (out + err).splitlines():
            (self.metrics if '"_aws"' in line else self.lines).append(line)
        found = []
        for sink, texts in (
            ("log", self.lines),
            ("metric", self.metrics),
            ("trace", self.traces),
            ("URL", [_without_object(*each) for each in self.run.urls]),
            ("object key", [url for name, url in self.run.urls if name.startswith("s3.")]),
        ):
            for text in texts:
                for kind in held(text, marks):
                    # A request for an object names it; nothing else may.
                    if (sink, kind) != ("object key", "object key"):
                        found.append(f"{kind} in a {sink}: {text[:200]}")
        for queue, text in self.run.messages:
            found += _in_message(queue, text, marks)
        return found


@contextlib.contextmanager
def watched(how: How = "error", at: int | None = None) -> Iterator[Sinks]:
    """Watch everything while a request runs, whose call number `at` fails."""
    sink = io.StringIO()
    handlers = []
    ours = logging.getLogger("medkarta")
    for logger in (logging.getLogger(), ours):
        handler = logging.StreamHandler(sink)
        if logger is ours and ours.handlers:
            handler.setFormatter(ours.handlers[0].formatter)  # every field of the line
        logger.addHandler(handler)
        handlers.append((logger, handler))
    send = socket.socket.sendto
    with pytest.MonkeyPatch.context() as patch, route_faults.recorded(how) as run:
        run.begin(at)
        sinks = Sinks(run)

        def noting(self: socket.socket, data: Any, *where: Any) -> int:
            sinks.traces.append(bytes(data).decode("utf-8", "replace"))
            return send(self, data, *where)

        patch.setattr(socket.socket, "sendto", noting, raising=False)
        try:
            yield sinks
        finally:
            for logger, handler in handlers:
                logger.removeHandler(handler)
            sinks.lines += sink.getvalue().splitlines()


def held(text: str, marks: Marks) -> list[str]:
    """The kinds of the marks that stand in a text."""
    spelled = spellings(text)
    return [kind for kind, values in marks.items() if any(_stands(v, spelled) for v in values)]


def spellings(text: str) -> str:
    """The text in all the spellings in which a mark could stand in it."""
    texts = [text, unquote(text)]
    if "\\u" in text:
        texts.append(re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text))
    for word in re.findall(r"[A-Za-z0-9_-]{16,}", text.replace("+", "-").replace("/", "_")):
        with contextlib.suppress(ValueError):
            raw = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
            texts.append(raw.decode("utf-8", "ignore"))
    joined = "\n".join(texts).casefold()
    return joined + "\n" + re.sub(r"(?<=\d)[- ()]{1,2}(?=\d)", "", joined)


def _stands(mark: str, spelled: str) -> bool:
    if re.fullmatch(r"\d{6}", mark):  # a code, which may also be a part of some longer number or id
        return re.search(rf"(?<![0-9a-z-]){mark}(?![0-9a-z-])", spelled) is not None
    return mark.casefold().lstrip("+") in spelled


def _without_object(name: str, url: str) -> str:
    return url.partition("?")[2] if name.startswith("s3.") else url


def _in_message(queue: str, text: str, marks: Marks) -> list[str]:
    """A text message holds its own code, and goes to a phone; other messages hold nothing."""
    if queue != "MessagesQueue":
        return [f"{kind} in a message of {queue}" for kind in held(text, marks)]
    message = json.loads(text)
    found = [k for k in held(message["text"], marks) if k != "code"]
    found += [k for k in held(message["to"], marks) if k != "phone"]
    rest = {name: value for name, value in message.items() if name not in ("to", "text")}
    found += held(json.dumps(rest), marks)
    return [f"{kind} in a text message" for kind in found]
