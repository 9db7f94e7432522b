// Start a program that keeps running after this helper. A watcher, a separate process, starts it and records how it ends.
// The reply is sent when the program runs; a start that fails leaves nothing behind.
main(async ({ code, command, working_dir }) => {
  const cwd = folder(working_dir);
  const number = allocate();
  try {
    return { number, pid: await launch(number, code === null ? null : readable(code), command, cwd) };
  } catch (error) {
    fs.rmSync(folderOf(number), { recursive: true, force: true });
    throw error;
  }
});

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

async function launch(number, code, command, cwd) {
  const directory = folderOf(number);
  const argv = code === null ? ["/bin/sh", "-c", "--", command] : [process.execPath, "-"];
  const watcher = Bun.spawn({
    cmd: [process.execPath, "-e", `(${watch})(require("node:fs"), require("node:os"), ${born})`],
    cwd: directory,
    env: {},
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  watcher.stdin.write(JSON.stringify({ argv, cwd, code, env: { ...environment(), PWD: cwd } }));
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
async function watch(fs, os, born) {
  const publish = (name, value) => {
    fs.writeFileSync(`${name}.new`, JSON.stringify(value));
    fs.renameSync(`${name}.new`, name);
  };
  let child;
  try {
    const { argv, cwd, code, env } = JSON.parse(fs.readFileSync(0, "utf8"));
    const stdio = [code === null ? "ignore" : "pipe", fs.openSync("stdout", "a"), fs.openSync("stderr", "a")];
    child = Bun.spawn({ cmd: argv, cwd, env, stdio, detached: true });
    child.stdin?.write(code || "\n"); // read to its end by Bun; an empty one would count as missing
    child.stdin?.end();
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
}
