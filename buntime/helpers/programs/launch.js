// Shared by the helpers that start programs.
async function start(programFor, cwd, stdin) {
  const number = allocate();
  try {
    return { number, pid: await launch(number, programFor(number), cwd, stdin) };
  } catch (error) {
    fs.rmSync(folderOf(number), { recursive: true, force: true });
    throw error;
  }
}

function folder(name) {
  const full = name === null ? WORKSPACE : locate(name);
  if (fs.statSync(full, { throwIfNoEntry: false })?.isDirectory()) return full;
  return fail("ENOTDIR", `working_dir ${name} is not a directory of the workspace`);
}

// Of a workspace that is a git repository, `git status` does not show the state of processes, and `git clean -fdx` does
// not delete it: it passes over what looks like a repository of its own.
function hideFromGit() {
  const repository = nodePath.join(PROCESSES, ".git");
  for (const name of ["objects", "refs"]) fs.mkdirSync(nodePath.join(repository, name), { recursive: true });
  fs.writeFileSync(nodePath.join(repository, "HEAD"), "ref: refs/heads/main\n");
  fs.writeFileSync(nodePath.join(PROCESSES, "../.gitignore"), "*\n");
}

function allocate() {
  hideFromGit();
  for (let number = 1 + Math.max(0, ...fs.readdirSync(PROCESSES).map(Number).filter(Number.isInteger)); ; number++) {
    try {
      fs.mkdirSync(folderOf(number));
      return number;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

// The command line of a program, and its source if Bun reads that from standard input. With `stdin`, that is the program's
// own: Bun then loads the source from a file, which is deleted when it was read.
function programOf(code, command, stdin) {
  if (code === null) return { argv: ["/bin/sh", "-c", "--", command], code };
  if (!stdin) return { argv: [process.execPath, "-"], code: readable(code) };
  const file = locate(`.buntime/calls/${crypto.randomUUID()}`);
  fs.mkdirSync(nodePath.dirname(file), { recursive: true });
  fs.writeFileSync(file, code, { mode: 0o600 });
  const loader = parses(code, "tsx") || !parses(code, "ts") ? "tsx" : "ts";
  const read = `const fs = require("node:fs"), file = ${JSON.stringify(file)}, contents = fs.readFileSync(file, "utf8"); fs.unlinkSync(file);`;
  const load = `() => { ${read} return { contents, loader: "${loader}" }; }`;
  return { argv: [process.execPath, "-e", `Bun.plugin({ name: "stdin", setup: (build) => build.module("[stdin]", ${load}) }); await import("[stdin]");`], code: null };
}

async function launch(number, program, cwd, stdin) {
  const directory = folderOf(number);
  const watcher = Bun.spawn({
    cmd: [process.execPath, "-e", `(${watch})(require("node:fs"), require("node:os"), ${born}, ${serveInput})`],
    cwd: directory,
    env: {},
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  watcher.stdin.write(JSON.stringify({ ...program, cwd, stdin, env: { ...environment(), PWD: cwd } }));
  watcher.stdin.end();
  const reply = await firstLine(watcher.stdout);
  watcher.unref();
  const started = reply ? JSON.parse(reply) : { error: "it was killed while it started", code: "EAGAIN" };
  return started.pid ?? fail(started.code, `the process cannot be started: ${started.error}`);
}

// Bun reads standard input as TSX. Code that is TypeScript but not TSX, such as `<T>(x: T) => x`, is loaded as a module.
function readable(code) {
  if (parses(code, "tsx") || !parses(code, "ts")) return code;
  const module = `() => ({ loader: "ts", contents: ${JSON.stringify(code)} })`;
  return `Bun.plugin({ name: "stdin", setup: (build) => build.module("[stdin]", ${module}) }); await import("[stdin]");`;
}

function parses(code, loader) {
  try {
    new Bun.Transpiler({ loader }).scanImports(code);
    return true;
  } catch {
    return false;
  }
}

// The environment that this helper was started with: Bun adds variables of a .env file to its own, not to the program's.
function initialEnvironment() {
  try {
    const pairs = fs.readFileSync("/proc/self/environ", "utf8").split("\0").filter(Boolean);
    return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
  } catch {
    return process.env;
  }
}

// The program has the bunfig.toml of the workspace: the first of the options is the helper's.
function environment() {
  const { BUN_OPTIONS = "", ...env } = initialEnvironment();
  const options = BUN_OPTIONS.split(" ").slice(1).join(" ");
  return options ? { ...env, BUN_OPTIONS: options } : env;
}

async function firstLine(stream) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("\n")) return text.slice(0, text.indexOf("\n"));
  }
  return "";
}

// Runs in a separate process, in the folder of the process that it watches; has access to its arguments only.
async function watch(fs, os, born, serveInput) {
  const publish = (name, value) => {
    fs.writeFileSync(`${name}.new`, JSON.stringify(value));
    fs.renameSync(`${name}.new`, name);
  };
  let child, server;
  try {
    const { argv, cwd, code, env, stdin } = JSON.parse(fs.readFileSync(0, "utf8"));
    const stdio = [code === null && !stdin ? "ignore" : "pipe", fs.openSync("stdout", "a"), fs.openSync("stderr", "a")];
    child = Bun.spawn({ cmd: argv, cwd, env, stdio, detached: true });
    if (stdin) server = serveInput(child, publish);
    else {
      child.stdin?.write(code || "\n"); // read to its end by Bun; an empty one would count as missing
      child.stdin?.end();
    }
    const who = (pid) => ({ pid, born: born(fs, pid) });
    publish("state", { program: who(child.pid), watcher: who(process.pid) });
  } catch (error) {
    if (child) process.kill(-child.pid, "SIGKILL");
    fs.writeSync(1, JSON.stringify({ error: error.message, code: String(error.code ?? error.name) }) + "\n");
    return;
  }
  fs.writeSync(1, JSON.stringify({ pid: child.pid }) + "\n");
  await child.exited;
  publish("exit", child.signalCode ? 128 + os.constants.signals[child.signalCode] : child.exitCode);
  await server?.stop();
  process.exit(); // a timer of a request that waited for its input may be left
}

// Serves the standard input of a child on the socket `stdin.socket`. A request has the offset of its bytes in all input, and
// is known by both: one that arrives twice is written once. The next bytes are accepted when the child has read so much
// that the last ones left this process, so that it holds one request at most.
function serveInput(child, publish) {
  const input = { offset: 0, last: null, closed: false };
  let written = Promise.resolve("written");
  const store = () => publish("input", input);
  const within = (seconds, promise) => Promise.race([promise, Bun.sleep(seconds * 1000).then(() => "pending")]);
  const settled = async (seconds) => {
    const state = await within(seconds, Promise.race([written, child.exited.then(() => "ended")]));
    if (state !== "ended") return state;
    return (await within(0.1, written)) === "written" ? "written" : state; // it may have read all of it before
  };
  async function receive({ offset, key, end, wait }, bytes) {
    let state = await settled(wait);
    if (bytes.length && key !== input.last && state === "written") {
      if (input.closed) return "closed";
      if (offset !== input.offset) return "moved";
      Object.assign(input, { offset: offset + bytes.length, last: key });
      store();
      written = (async () => (await child.stdin.write(bytes), await child.stdin.flush(), "written"))().catch(() => "broken");
    }
    if (bytes.length) state = await settled(wait);
    if (end && !input.closed) {
      input.closed = true;
      store();
      written.then(() => child.stdin.end()).catch(() => {});
    }
    return state;
  }
  store();
  return Bun.serve({
    unix: "stdin.socket",
    idleTimeout: 0,
    async fetch(request) {
      const message = JSON.parse(request.headers.get("message"));
      const state = await receive(message, new Uint8Array(await request.arrayBuffer()));
      return Response.json({ state, offset: input.offset });
    },
  });
}
