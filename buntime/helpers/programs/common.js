// The beginning of every helper of the Python client. `helper` holds its arguments.
const fs = require("node:fs");
const nodePath = require("node:path");
const WORKSPACE = process.cwd();

function fail(code, message) {
  throw Object.assign(new Error(message), { code });
}

// A path of the workspace, relative or absolute; one that leaves the workspace at any point is an error.
function locate(name) {
  const inside = name.replace(/^\/+workspace(?=\/|$)/, ".");
  if (inside.startsWith("/")) fail("EOUTSIDE", `${name} is outside the workspace`);
  const parts = [];
  for (const part of inside.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) fail("EOUTSIDE", `${name} is outside the workspace`);
  }
  return nodePath.join(WORKSPACE, ...parts);
}

// Print now: process.stdout takes longer to load than most helpers take to run. A pipe that is full is waited for.
function print(text, fd = 1) {
  for (let bytes = Buffer.from(text); bytes.length; ) {
    try {
      bytes = bytes.subarray(fs.writeSync(fd, bytes));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}

// Run the helper and print its reply, or its error, as the last line of stdout.
async function main(program) {
  let reply;
  try {
    reply = await program(helper);
  } catch (error) {
    reply = { error: { code: String(error.code ?? error.name), message: String(error.message) } };
  }
  print("\n" + JSON.stringify(reply) + "\n");
}
