"""The embedded AWS platform: ministack in this process, with what this system needs put right.

Runs in an environment of its own (.venv-platform), as `python -m local.emulator`; `local.stack`
starts and stops it and sets its environment. The version of ministack is pinned in pyproject.toml,
because what stands here reaches into its inside.
"""

import contextlib
import copy
import functools
import hashlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import apigateway_v1, dynamodb, lambda_svc, sns, sqs

Json = dict[str, Any]


def import_gateway_responses() -> None:
    """Take GatewayResponses and preflight headers out of an imported OpenAPI document.

    ministack 1.5 imports paths and authorizers only, but serves both once they are there.
    """
    import_api = apigateway_v1._import_rest_api
    import_operation = apigateway_v1._import_operation

    def with_gateway_responses(spec: Json, base_data: Json | None = None) -> str:
        api_id: str = import_api(spec, base_data)
        responses = spec.get("x-amazon-apigateway-gateway-responses") or {}
        for response_type, response in responses.items():
            status, _, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
            if status >= 400:
                raise ValueError(f"GatewayResponse {response_type}: {body!r}")
        return api_id

    def with_integration_responses(
        api_id: str, resource_id: str, http_method: str, operation: Json, *args: Any
    ) -> None:
        import_operation(api_id, resource_id, http_method, operation, *args)
        integration = (operation or {}).get("x-amazon-apigateway-integration") or {}
        for response in (integration.get("responses") or {}).values():
            apigateway_v1._put_integration_response(
                api_id, resource_id, http_method, str(response["statusCode"]), response
            )

    apigateway_v1._import_rest_api = with_gateway_responses
    apigateway_v1._import_operation = with_integration_responses


def count_loopback_as_tls() -> None:
    """Let policies that demand `aws:SecureTransport` hold on plain HTTP over loopback."""
    pin = app.pin_request_origin

    def pin_as_secure(source_ip: str, _secure: bool) -> None:
        pin(source_ip, True)

    app.pin_request_origin = pin_as_secure


def name_queues_alike_in_every_run() -> None:
    """Keep this run's port out of queue URLs, by which a restored state finds its queues."""
    sqs.DEFAULT_PORT = "80"
    sqs._CANONICAL_NETLOC = f"{sqs.DEFAULT_HOST}:{sqs.DEFAULT_PORT}"


def time_text_messages() -> None:
    """Note when each text message was sent: `SentAt`, RFC 3339 in UTC."""
    log_for = sns._sms_log_for

    class Timed:
        def __init__(self, records: list[Json]) -> None:
            self.records = records

        def append(self, record: Json) -> None:
            sent_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.records.append({**record, "SentAt": sent_at.replace("+00:00", "Z")})

    def timed_log_for(phone_number: str) -> Timed:
        return Timed(log_for(phone_number))

    sns._sms_log_for = timed_log_for


def write_function_logs(path: str) -> None:
    """Append what functions print, how they fail and what their roles are refused, to one file.

    Its lines are JSON.
    """
    emit = lambda_svc._emit_lambda_logs
    execute = lambda_svc._execute_function_warm
    deny = iam_actions.access_denied_response

    def append(entries: list[Json]) -> None:
        with open(path, "a", encoding="utf-8") as log:
            log.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)

    def emit_to_file(func: Json, request_id: str, log_text: str, *args: Any, **kwargs: Any) -> None:
        emit(func, request_id, log_text, *args, **kwargs)
        name = (func.get("config") or func).get("FunctionName")
        lines = (log_text or "").splitlines()
        append([{"function": name, "invocation": request_id, "line": line} for line in lines])

    def execute_and_tell(func: Json, event: Any, request_id: str) -> Json:
        result: Json = execute(func, event, request_id)
        if result.get("error"):
            name = (func.get("config") or func).get("FunctionName")
            append([{"function": name, "invocation": request_id, "failed": result.get("body")}])
        return result

    def deny_and_tell(service: str, action: str, principal: str, *args: Any, **kwargs: Any) -> Any:
        refused = {"refused": action, "role": principal, "resource": kwargs.get("resource_arn")}
        append([refused])
        return deny(service, action, principal, *args, **kwargs)

    lambda_svc._emit_lambda_logs = emit_to_file
    lambda_svc._execute_function_warm = execute_and_tell
    iam_actions.access_denied_response = deny_and_tell


def hold_code_once() -> None:
    """Keep and unpack one package once for all functions; each has its own copy otherwise."""
    fetch = functools.cache(lambda_svc._fetch_code_from_s3)
    lambda_svc._fetch_code_from_s3 = fetch
    shared = Path(tempfile.gettempdir()) / "code"

    class SharedZip(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            content = repr([(item.filename, item.CRC, item.file_size) for item in self.infolist()])
            unpacked = shared / hashlib.sha256(content.encode()).hexdigest()
            with unpacking:
                if not unpacked.exists():
                    partial = unpacked.with_suffix(".partial")
                    super().extractall(partial, members, pwd)
                    partial.rename(unpacked)
            os.rmdir(path)
            os.symlink(unpacked, path)
            assert self.filename is not None
            os.unlink(self.filename)

    unpacking = threading.Lock()
    lambda_runtime.zipfile = SimpleNamespace(ZipFile=SharedZip, BadZipFile=zipfile.BadZipFile)


def run_functions_with(python: str) -> None:
    """Run functions in an interpreter without packages, so that they have what they ship only."""
    sys.executable = python


def save_what_still_changes() -> None:
    """Write the state of a service even while functions that are still at work change it.

    ministack copies a service's state once, and leaves it out when something was added meanwhile.
    """
    save_all = app.save_all

    def steady(read: Callable[[], Json | None]) -> Callable[[], Json | None]:
        def state() -> Json | None:
            for _ in range(100):
                with contextlib.suppress(RuntimeError):  # dictionary changed size during iteration
                    return copy.deepcopy(read())
                time.sleep(0.02)
            return copy.deepcopy(read())

        return state

    def save_all_steadily(services: dict[str, Callable[[], Json | None]]) -> None:
        save_all({name: steady(read) for name, read in services.items()})

    app.save_all = save_all_steadily


def keep_streams_with_their_tables() -> None:
    """Write what stands in tables' streams, too, and bring it back.

    ministack keeps how far a stream's reader has come, and not the stream: after a start from a
    kept state the reader would pass over as many records as it had read before.
    """
    get_state, load = dynamodb.get_state, dynamodb.load_persisted_state
    streams = {
        "stream_records": dynamodb._stream_records,
        "stream_trimmed": dynamodb._stream_trimmed,
    }

    def with_streams() -> Json:
        return {**get_state(), **copy.deepcopy(streams)}

    def load_with_streams(data: Json | None) -> None:
        load(data)
        for name, store in streams.items():
            store.update((data or {}).get(name, {}))

    dynamodb.get_state = with_streams
    dynamodb.load_persisted_state = load_with_streams


def stop_with_parent() -> None:
    """Stop cleanly when the other end of standard input closes, which a dead parent's does too."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main(environment: Callable[[str], str]) -> None:
    """Serve until SIGTERM; state is written then, where it is kept."""
    import_gateway_responses()
    count_loopback_as_tls()
    name_queues_alike_in_every_run()
    time_text_messages()
    write_function_logs(environment("MEDKARTA_FUNCTION_LOG"))
    hold_code_once()
    save_what_still_changes()
    keep_streams_with_their_tables()
    run_functions_with(environment("MEDKARTA_FUNCTION_PYTHON"))
    stop_with_parent()
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main(os.environ.__getitem__)
