// What every helper of the Python client begins with. `helper` holds its arguments.
const fs = require("node:fs");
const nodePath = require("node:path");
const WORKSPACE = process.cwd();

// A path of the workspace, however the caller wrote it; one that leaves the workspace is refused.
function locate(name) {
  const inside = name.replace(/^\/workspace(?=\/|$)/, ".");
  const full = nodePath.resolve(WORKSPACE, inside);
  if (nodePath.isAbsolute(inside) || (full !== WORKSPACE && !full.startsWith(WORKSPACE + nodePath.sep))) {
    throw Object.assign(new Error(`${name} is outside the workspace`), { code: "EOUTSIDE", path: name });
  }
  return full;
}

// Run the helper and print its answer, or the error it ends with, as the last line of stdout.
async function main(program) {
  let answer;
  try {
    answer = await program(helper);
  } catch (error) {
    answer = { error: { code: String(error.code ?? error.name), message: String(error.message) } };
  }
  process.stdout.write("\n" + JSON.stringify(answer) + "\n");
}
