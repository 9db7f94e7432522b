// A script for the official TypeScript client: prints the same transcript of values as scenario.py, but for what the
// client does not have. Run as `node scenario.mjs URL`, with the package in a folder above the working directory.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

const { Runloop, RunloopSDK, toFile } = createRequire(path.join(process.cwd(), "x.js"))("@runloop/api-client");
const BINARY = Buffer.from([...Array(256).keys()]);
const baseURL = process.argv[2];

const show = (...values) => console.log(JSON.stringify(values));

async function main() {
  const sdk = new RunloopSDK({ bearerToken: "rk_of_the_official_clients", baseURL, http2: false });
  const devbox = await sdk.devbox.create({
    name: "seed",
    metadata: { a: "b" },
    environment_variables: { GREETING: "hi" },
    launch_parameters: { launch_commands: ["echo launched > l.txt"], keep_alive_time_seconds: 600 },
  });
  try {
    await life(devbox);
    await commands(sdk, devbox);
    await server(devbox);
    await shell(devbox);
    await files(sdk, devbox);
    await errors(sdk);
    await snapshots(sdk, devbox);
    await blueprints(sdk);
    await storage(sdk);
    await agents(sdk);
    await scoring(sdk);
  } finally {
    await devbox.shutdown();
  }
  show("after shutdown", (await devbox.getInfo()).status);
}

async function life(devbox) {
  const view = await devbox.getInfo();
  show("created", view.status, view.name, view.metadata, view.launch_parameters.keep_alive_time_seconds);
  show("transitions", view.state_transitions.map(({ status }) => status));
  await devbox.keepAlive();
  await devbox.suspend();
  await devbox.awaitSuspended();
  show("suspended", (await devbox.getInfo()).status);
  await devbox.resume();
  await devbox.awaitRunning();
  show("resumed", (await devbox.getInfo()).status);
}

async function commands(sdk, devbox) {
  let result = await devbox.cmd.exec('echo "Hello, World!"; echo oops >&2; exit 3');
  show("exec", await result.stdout(), await result.stderr(), result.exitCode, result.success, result.failed);
  result = await devbox.cmd.exec("echo $GREETING; cat l.txt; pwd");
  show("environment", await result.stdout());
  result = await devbox.cmd.exec("for i in {1..1000}; do echo Line $i; done");
  show("long output", (await result.stdout()).trimEnd().split("\n").length, await result.stdout(2));
  show("unicode", await (await devbox.cmd.exec("echo é☃😀")).stdout());
  const lines = { stdout: "", stderr: "" };
  result = await devbox.cmd.exec("echo a; sleep 0.2; echo b; echo c >&2", {
    stdout: (text) => (lines.stdout += text),
    stderr: (text) => (lines.stderr += text),
  });
  const words = Object.fromEntries(Object.entries(lines).map(([kind, text]) => [kind, text.match(/\w+/g)]));
  show("callbacks", words, result.exitCode);
  show("signal", (await devbox.cmd.exec("kill -TERM $$")).exitCode);
  const { logs } = await sdk.api.devboxes.logs.list(devbox.id);
  show("logs", logs.filter((row) => row.cmd && row.source === "setup_commands").map((row) => row.cmd));
}

async function server(devbox) {
  const execution = await devbox.cmd.execAsync("echo up; sleep 1000");
  show("started", (await execution.getState()).status, execution.devboxId === devbox.id);
  await execution.kill();
  show("killed", (await execution.result()).exitCode);
}

async function shell(devbox) {
  const named = devbox.shell("work");
  await named.exec("cd /tmp; export V=1");
  show("shell", await (await named.exec("pwd; echo $V")).stdout());
}

async function files(sdk, devbox) {
  await devbox.file.write({ file_path: "t.txt", contents: "text é" });
  show("read", await devbox.file.read({ file_path: "/home/user/t.txt" }));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "official-"));
  try {
    fs.writeFileSync(path.join(folder, "up.bin"), BINARY);
    await devbox.file.upload({ path: "up.bin", file: fs.createReadStream(path.join(folder, "up.bin")) });
    const file = fs.createReadStream(path.join(folder, "up.bin"));
    await sdk.api.devboxes.uploadFile(devbox.id, { path: "/tmp/open.bin", file });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  await sdk.api.devboxes.uploadFile(devbox.id, { path: "named.txt", file: await toFile(Buffer.from("named"), "my file.txt") });
  const response = await devbox.file.download({ path: "up.bin" });
  show("download", Buffer.from(await response.arrayBuffer()).equals(BINARY));
  const result = await devbox.cmd.exec("wc -c < up.bin; wc -c < /tmp/open.bin; cat named.txt");
  show("sizes", await result.stdout());
}

async function errors(sdk) {
  const calls = {
    "missing devbox": () => sdk.devbox.fromId("dbx_none").getInfo(),
    "two sources": () => sdk.devbox.create({ blueprint_id: "a", snapshot_id: "b" }),
    "missing snapshot": () => sdk.api.devboxes.diskSnapshots.queryStatus("snp_none"),
  };
  for (const [label, call] of Object.entries(calls)) {
    await call().catch((error) => show(label, error.constructor.name, error.status));
  }
  const other = new RunloopSDK({ bearerToken: "wrong", baseURL, http2: false });
  await other.api.devboxes.list().catch((error) => show("wrong key", error.status));
}

async function count(pages) {
  let number = 0;
  for await (const _ of pages) number++;
  return number;
}

async function snapshots(sdk, devbox) {
  const snapshot = await devbox.snapshotDisk({ name: "snap", commit_message: "m", metadata: { k: "v" } });
  const view = await snapshot.queryStatus();
  show("snapshot", view.status, view.snapshot.name, view.snapshot.metadata, view.snapshot.commit_message);
  show("snapshots", await count(sdk.api.devboxes.diskSnapshots.list({ devbox_id: devbox.id })));
  const clone = await snapshot.createDevbox({ name: "clone" });
  const text = await clone.file.read({ file_path: "t.txt" });
  show("clone", text, await (await clone.cmd.exec("cat /tmp/open.bin | wc -c")).stdout());
  await clone.shutdown();
  await snapshot.delete();
  show("pages", (await count(sdk.api.devboxes.list({ limit: 1 }))) >= 2);
}

async function blueprints(sdk) {
  const blueprint = await sdk.blueprint.create({ name: "base", dockerfile: "FROM ubuntu:22.04" });
  const view = await blueprint.getInfo();
  show("blueprint", view.status, view.state, view.name);
  show("build log", (await blueprint.logs()).logs.some(({ message }) => message.includes("Dockerfile")));
  const devbox = await blueprint.createDevbox({ name: "of-blueprint" });
  show("of blueprint", (await devbox.getInfo()).blueprint_id === blueprint.id);
  await devbox.shutdown();
  await blueprint.delete();
  show("deleted", (await blueprint.getInfo()).state);
}

async function storage(sdk) {
  const text = await sdk.storageObject.uploadFromText("text é", "t.txt", { metadata: { m: "1" } });
  const view = await text.getInfo();
  show("object", view.content_type, view.state, view.size_bytes, view.name, view.metadata);
  show("object text", await text.downloadAsText());
  const data = await sdk.storageObject.uploadFromBuffer(BINARY, "b", "binary");
  show("object bytes", (await data.downloadAsBuffer()).equals(BINARY));
  const page = await sdk.api.objects.list({ limit: 2, name: "b" });
  show("objects", page.objects.map(({ id }) => id === data.id));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "official-"));
  let file, archive;
  try {
    fs.writeFileSync(path.join(folder, "run.sh"), "echo ran; echo $TOKEN", { mode: 0o755 });
    file = await sdk.storageObject.uploadFromFile(path.join(folder, "run.sh"), "run.sh");
    archive = await sdk.storageObject.uploadFromDir(folder, { name: "folder.tgz" });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  show("object file", await file.downloadAsText());
  await sdk.api.secrets.create({ name: "OFFICIAL_TOKEN", value: "first" });
  show("secret", (await sdk.api.secrets.update("OFFICIAL_TOKEN", { value: "token" })).name);
  show("secrets", (await sdk.api.secrets.list({ limit: 5 })).secrets.map(({ name }) => name));
  const mounts = [
    { type: "object_mount", object_id: archive.id, object_path: "/home/user/project" },
    { type: "object_mount", object_id: text.id, object_path: "/home/user/t.txt" },
  ];
  const devbox = await sdk.devbox.create({ mounts, secrets: { TOKEN: "OFFICIAL_TOKEN" } });
  show("mounts", await (await devbox.cmd.exec("project/run.sh; cat t.txt")).stdout());
  await devbox.shutdown();
  await sdk.api.secrets.delete("OFFICIAL_TOKEN", {});
  for (const stored of [text, data, file, archive]) await stored.delete();
  show("object deleted", (await sdk.api.objects.retrieve(text.id)).state);
}

async function agents(sdk) {
  const stored = await sdk.storageObject.uploadFromText("echo agent", "agent.sh");
  const agent = await sdk.agent.createFromObject({ name: "greeter", version: "1.0.0", object_id: stored.id });
  const view = await agent.getInfo();
  show("agent", view.name, view.version, view.source.type);
  const npm = await sdk.agent.createFromNpm({
    name: "npm-agent",
    version: "1.0.0",
    package_name: "@a/b",
    agent_setup: ["true"],
  });
  const page = await sdk.api.agents.list({ name: "npm-a", limit: 1 });
  show("agents", page.agents.map(({ name }) => name), (await npm.getInfo()).is_public);
  const mount = { type: "agent_mount", agent_id: agent.id, agent_name: null, agent_path: "/home/user/agent.sh" };
  const devbox = await sdk.devbox.create({ mounts: [mount] });
  show("agent mount", await (await devbox.cmd.exec("sh agent.sh")).stdout());
  await devbox.shutdown();
}

async function scoring(sdk) {
  const kind = `official_${randomUUID()}`;
  const scorer = await sdk.scorer.create({ type: kind, bash_script: 'echo "1.0"' });
  await scorer.update({ bash_script: "echo score=0.5" });
  const ids = (await sdk.scorer.list({ limit: 50 })).map(({ id }) => id);
  show("scorer", (await scorer.getInfo()).bash_script, ids.includes(scorer.id));

  const made = await sdk.api.scenarios.create({
    name: "official",
    input_context: { problem_statement: "p", additional_context: { hint: 1 } },
    scoring_contract: {
      scoring_function_parameters: [
        { name: "a", weight: 0.5, scorer: { type: "command_scorer", command: "test -f answer" } },
        { name: "b", weight: 0.25, scorer: { type: "custom_scorer", custom_scorer_type: kind } },
        { name: "c", weight: 0.25, scorer: { type: "bash_script_scorer", bash_script: "echo no" } },
      ],
    },
  });
  const scenario = sdk.scenario.fromId(made.id);
  await scenario.update({ name: "renamed", metadata: { k: "v" } });
  let view = await scenario.getInfo();
  show("scenario", view.name, view.status, view.metadata, view.input_context.additional_context);
  const mounts = [{ type: "file_mount", target: "answer", content: "42" }];
  const runProfile = { envVars: { NAME: "E" }, mounts, purpose: "test" };
  const run = await scenario.run({ run_name: "r", metadata: { k: "v" }, runProfile });
  const output = await (await run.devbox.cmd.exec("echo $NAME; cat answer")).stdout();
  show("run", (await run.getInfo()).state, output, (await run.getScore()) ?? null);
  view = await run.scoreAndComplete();
  show("completed", view.state, view.name, view.metadata, view.purpose, (await run.devbox.getInfo()).status);
  const score = await run.getScore();
  const rows = score.scoring_function_results.map((row) => [row.scoring_function_name, row.score, row.state, row.output]);
  show("score", score.score, rows);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "official-"));
  await run.downloadLogs(path.join(folder, "logs.zip"));
  show("logs of a run", fs.readFileSync(path.join(folder, "logs.zip")).subarray(0, 2).toString());
  fs.rmSync(folder, { recursive: true });
  const other = await scenario.runAsync();
  show("canceled", (await other.cancel()).state, (await other.getInfo()).state);

  const { benchmarks } = sdk.api;
  const benchmark = await benchmarks.create({ name: "official", scenario_ids: [made.id], metadata: { k: "v" } });
  const definitions = await benchmarks.definitions(benchmark.id);
  const whole = await benchmarks.startRun({ benchmark_id: benchmark.id, run_name: "r" });
  const part = await scenario.run({ benchmark_run_id: whole.id, runProfile });
  await part.scoreAndAwait();
  const runs = (await sdk.api.benchmarkRuns.listScenarioRuns(whole.id)).runs;
  show("benchmark", benchmark.name, (await benchmarks.listPublic()).benchmarks.length, whole.state);
  show("definitions", definitions.scenarios.map(({ name }) => name), runs.map(({ state }) => state));
  const ended = await sdk.api.benchmarkRuns.complete(whole.id);
  show("benchmark run", ended.state, ended.score);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
