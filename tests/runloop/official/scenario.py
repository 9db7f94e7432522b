"""A script for the official Python client, and by its import line for ours: prints a transcript of values.

Run as ``python scenario.py MODULE URL [no-shell]``. Ids and other values that differ are not printed.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import threading
import uuid
from pathlib import Path
from typing import Any, Callable

BINARY = bytes(range(256))


def main(module: str, url: str, *options: str) -> None:
    """Run the script."""
    runloop = importlib.import_module(module)
    sdk = runloop.RunloopSDK(bearer_token="rk_of_the_official_clients", base_url=url)
    devbox = sdk.devbox.create(
        name="seed",
        metadata={"a": "b"},
        environment_variables={"GREETING": "hi"},
        launch_parameters={"launch_commands": ["echo launched > l.txt"], "keep_alive_time_seconds": 600},
    )
    try:
        life(devbox)
        commands(sdk, devbox)
        server(devbox)
        if "no-shell" not in options:
            shell(devbox)
        files(sdk, devbox)
        errors(runloop, sdk, url)
        snapshots(sdk, devbox)
        blueprints(sdk)
        storage(sdk)
        if "no-agents" not in options:
            agents(sdk)
        if "no-scoring" not in options:
            scoring(sdk)
    finally:
        devbox.shutdown()
    show("after shutdown", devbox.get_info().status)


def show(label: str, *values: Any) -> None:
    """Print one value, or several."""
    sys.stdout.write(json.dumps([label, *values]) + "\n")


def life(devbox: Any) -> None:
    """States and settings."""
    view = devbox.get_info()
    show("created", view.status, view.name, view.metadata, view.launch_parameters.keep_alive_time_seconds)
    show("transitions", [each.status for each in view.state_transitions])
    devbox.keep_alive()
    devbox.suspend()
    devbox.await_suspended()
    show("suspended", devbox.get_info().status)
    devbox.resume()
    devbox.await_running()
    show("resumed", devbox.get_info().status)
    show("tunnel", devbox.net.enable_tunnel(auth_mode="authenticated").auth_mode)


def commands(sdk: Any, devbox: Any) -> None:
    """Commands and their output."""
    result = devbox.cmd.exec('echo "Hello, World!"; echo oops >&2; exit 3')
    show("exec", result.stdout(), result.stderr(), result.exit_code, result.success, result.failed)
    show("environment", devbox.cmd.exec("echo $GREETING; cat l.txt; pwd").stdout())
    result = devbox.cmd.exec("for i in {1..1000}; do echo Line $i; done")
    show("long output", len(result.stdout().splitlines()), result.stdout(num_lines=2))
    show("unicode", devbox.cmd.exec("echo é☃😀").stdout())
    lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
    lock = threading.Lock()

    def collect(kind: str) -> Any:
        def add(text: str) -> None:
            with lock:
                lines[kind].append(text)

        return add

    result = devbox.cmd.exec(
        "echo a; sleep 0.2; echo b; echo c >&2", stdout=collect("stdout"), stderr=collect("stderr")
    )
    show("callbacks", {kind: "".join(texts).split() for kind, texts in lines.items()}, result.exit_code)
    show("signal", devbox.cmd.exec("kill -TERM $$").exit_code)
    rows = sdk.api.devboxes.logs.list(devbox.id).logs
    show("logs", [row.cmd for row in rows if row.cmd and row.source == "setup_commands"])


def server(devbox: Any) -> None:
    """A command that runs until it is killed."""
    execution = devbox.cmd.exec_async("echo up; sleep 1000")
    show("started", execution.get_state().status, execution.devbox_id == devbox.id)
    execution.kill()
    show("killed", execution.result().exit_code)


def shell(devbox: Any) -> None:
    """A shell with a name."""
    named = devbox.shell("work")
    named.exec("cd /tmp; export V=1")
    show("shell", named.exec("pwd; echo $V").stdout())


def files(sdk: Any, devbox: Any) -> None:
    """Text and bytes."""
    devbox.file.write(file_path="t.txt", contents="text é")
    show("read", devbox.file.read(file_path="/home/user/t.txt"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "up.bin"
        path.write_bytes(BINARY)
        devbox.file.upload(path="up.bin", file=path)
        with open(path, "rb") as file:
            sdk.api.devboxes.upload_file(devbox.id, path="/tmp/open.bin", file=file)
    sdk.api.devboxes.upload_file(devbox.id, path="named.txt", file=("my file.txt", b"named", "text/plain"))
    show("download", devbox.file.download(path="up.bin").hex() == BINARY.hex())
    show("sizes", devbox.cmd.exec("wc -c < up.bin; wc -c < /tmp/open.bin; cat named.txt").stdout())


def errors(runloop: Any, sdk: Any, url: str) -> None:
    """Classes, statuses and messages."""
    calls: dict[str, Callable[[], Any]] = {
        "missing devbox": lambda: sdk.devbox.from_id("dbx_none").get_info(),
        "two sources": lambda: sdk.devbox.create(blueprint_id="a", snapshot_id="b"),
        "missing snapshot": lambda: sdk.api.devboxes.disk_snapshots.query_status("snp_none"),
    }
    for label, call in calls.items():
        try:
            call()
        except (runloop.NotFoundError, runloop.BadRequestError) as error:
            names = {runloop.NotFoundError: "NotFoundError", runloop.BadRequestError: "BadRequestError"}
            show(
                label,
                next(name for kind, name in names.items() if isinstance(error, kind)),
                error.status_code,
            )
    other = runloop.RunloopSDK(bearer_token="wrong", base_url=url)
    try:
        other.api.devboxes.list()
    except runloop.AuthenticationError as error:
        show("wrong key", error.status_code)


def snapshots(sdk: Any, devbox: Any) -> None:
    """A snapshot, and a devbox from it."""
    snapshot = devbox.snapshot_disk(name="snap", commit_message="m", metadata={"k": "v"})
    view = snapshot.get_info()
    show("snapshot", view.status, view.snapshot.name, view.snapshot.metadata, view.snapshot.commit_message)
    show("snapshots", len(list(sdk.api.devboxes.disk_snapshots.list(devbox_id=devbox.id))))
    clone = snapshot.create_devbox(name="clone")
    show("clone", clone.file.read(file_path="t.txt"), clone.cmd.exec("cat /tmp/open.bin | wc -c").stdout())
    clone.shutdown()
    snapshot.delete()
    show("pages", len(list(sdk.api.devboxes.list(limit=1))) >= 2)


def blueprints(sdk: Any) -> None:
    """A blueprint, and a devbox from it."""
    blueprint = sdk.blueprint.create(name="base", dockerfile="FROM ubuntu:22.04")
    view = blueprint.get_info()
    show("blueprint", view.status, view.state, view.name)
    show("build log", any("Dockerfile" in row.message for row in blueprint.logs().logs))
    with blueprint.create_devbox(name="of-blueprint") as devbox:
        show("of blueprint", devbox.get_info().blueprint_id == blueprint.id)
    show("context manager", devbox.get_info().status)
    show("blueprints", [each.name for each in sdk.api.blueprints.list(name="base")])
    blueprint.delete()
    show("deleted", blueprint.get_info().state)


def storage(sdk: Any) -> None:
    """Objects, a mount of a folder, and a secret."""
    uploads = sdk.storage_object
    text = uploads.upload_from_text("text é", name="t.txt", metadata={"m": "1"})
    view = text.refresh() if hasattr(text, "refresh") else text.get_info()
    show("object", view.content_type, view.state, view.size_bytes, view.name, view.metadata)
    show("object text", text.download_as_text())
    data = uploads.upload_from_bytes(BINARY, name="b", content_type="binary")
    show("object bytes", data.download_as_bytes().hex() == BINARY.hex())
    show("objects", [each.id == data.id for each in sdk.api.objects.list(limit=2, name="b")])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run.sh").write_text("echo ran; echo $TOKEN")
        (Path(folder) / "run.sh").chmod(0o755)
        file = uploads.upload_from_file(Path(folder) / "run.sh", name="run.sh")
        archive = uploads.upload_from_dir(folder, name="folder.tgz")
    show("object file", file.download_as_text())
    sdk.api.secrets.create(name="OFFICIAL_TOKEN", value="first")
    show("secret", sdk.api.secrets.update("OFFICIAL_TOKEN", value="token").name)
    names = [each.name for each in sdk.api.secrets.list(limit=5).secrets]
    show("secrets", names)
    mounts = [
        {"type": "object_mount", "object_id": archive.id, "object_path": "/home/user/project"},
        {"type": "object_mount", "object_id": text.id, "object_path": "/home/user/t.txt"},
    ]
    devbox = sdk.devbox.create(mounts=mounts, secrets={"TOKEN": "OFFICIAL_TOKEN"})
    show("mounts", devbox.cmd.exec("project/run.sh; cat t.txt").stdout())
    devbox.shutdown()
    sdk.api.secrets.delete("OFFICIAL_TOKEN")
    for stored in (text, data, file, archive):
        stored.delete()
    show("object deleted", sdk.api.objects.retrieve(text.id).state)


def agents(sdk: Any) -> None:
    """An agent from an object, and its mount."""
    stored = sdk.storage_object.upload_from_text("echo agent", name="agent.sh")
    agent = sdk.agent.create_from_object(name="greeter", version="1.0.0", object_id=stored.id)
    view = agent.get_info()
    source = view.source if isinstance(view.source, dict) else view.source.model_dump()
    show("agent", view.name, view.version, source["type"])
    npm = sdk.agent.create_from_npm(
        name="npm-agent", version="1.0.0", package_name="@a/b", agent_setup=["true"]
    )
    show(
        "agents",
        [each.name for each in sdk.api.agents.list(name="npm-a", limit=1).agents],
        npm.get_info().is_public,
    )
    path = "/home/user/agent.sh"
    mounts = [{"type": "agent_mount", "agent_id": agent.id, "agent_name": None, "agent_path": path}]
    devbox = sdk.devbox.create(mounts=mounts)
    show("agent mount", devbox.cmd.exec("sh agent.sh").stdout())
    devbox.shutdown()


def scoring(sdk: Any) -> None:
    """Scorers, scenarios, their runs, and benchmarks."""
    kind = f"official_{uuid.uuid4().hex}"
    scorer = sdk.scorer.create(type=kind, bash_script='echo "1.0"')
    scorer.update(type=kind, bash_script="echo score=0.5")
    show(
        "scorer", scorer.get_info().bash_script, scorer.id in [each.id for each in sdk.scorer.list(limit=50)]
    )
    if hasattr(scorer, "validate"):
        result = scorer.validate(scoring_context={"output": "hello"}).scoring_result
        show("validated", result.score, result.state, result.output)

    contract = {
        "scoring_function_parameters": [
            {"name": "a", "weight": 0.5, "scorer": {"type": "command_scorer", "command": "test -f answer"}},
            {"name": "b", "weight": 0.25, "scorer": {"type": "custom_scorer", "custom_scorer_type": kind}},
            {"name": "c", "weight": 0.25, "scorer": {"type": "bash_script_scorer", "bash_script": "echo no"}},
        ]
    }
    context = {"problem_statement": "p", "additional_context": {"hint": 1}}
    made = sdk.api.scenarios.create(name="official", input_context=context, scoring_contract=contract)
    scenario = sdk.scenario.from_id(made.id)
    scenario.update(name="renamed", metadata={"k": "v"})
    view = scenario.get_info()
    show("scenario", view.name, view.status, view.metadata, view.input_context.additional_context)
    mount = {"type": "file_mount", "target": "answer", "content": "42"}
    profile = {"env_vars": {"NAME": "E"}, "mounts": [mount], "purpose": "test"}
    run = scenario.run(run_name="r", metadata={"k": "v"}, run_profile=profile)
    show("run", run.get_info().state, run.devbox.cmd.exec("echo $NAME; cat answer").stdout(), run.get_score())
    view = run.score_and_complete()
    show("completed", view.state, view.name, view.metadata, view.purpose, run.devbox.get_info().status)
    score = run.get_score()
    rows = [
        [row.scoring_function_name, row.score, row.state, row.output]
        for row in score.scoring_function_results
    ]
    show("score", score.score, rows)
    with tempfile.TemporaryDirectory() as folder:
        run.download_logs(Path(folder) / "logs.zip")
        show("logs of a run", (Path(folder) / "logs.zip").read_bytes()[:2].decode())
    other = scenario.run_async()
    show("canceled", other.cancel().state, other.get_info().state)

    benchmarks = sdk.api.benchmarks
    benchmark = benchmarks.create(name="official", scenario_ids=[made.id], metadata={"k": "v"})
    definitions = benchmarks.definitions(benchmark.id)
    whole = benchmarks.start_run(benchmark_id=benchmark.id, run_name="r")
    part = scenario.run(benchmark_run_id=whole.id, run_profile=profile)
    part.score_and_await()
    runs = list(sdk.api.benchmark_runs.list_scenario_runs(whole.id))
    show("benchmark", benchmark.name, len(benchmarks.list_public().benchmarks), whole.state)
    show("definitions", [each.name for each in definitions.scenarios], [each.state for each in runs])
    ended = sdk.api.benchmark_runs.complete(whole.id)
    show("benchmark run", ended.state, ended.score)


if __name__ == "__main__":
    main(*sys.argv[1:])
