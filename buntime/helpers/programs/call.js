// Call a function and return its value, separate from its output.
// A function reaches process.stdout only by one of these words. It takes longer to load than most functions to run.
const REACHES_STDOUT = /\b(?:process|import|require|module|eval|Function|constructor|global|globalThis|self|this)\b|_stdout|\\u/;
let write = (text, done) => (print(text), done());
const exit = process.exit.bind(process);
let answered = false;
let ranOut = false;

function finish(reply) {
  if (answered) return;
  answered = true;
  write(line(reply), () => exit(succeeded(reply) ? 0 : 1));
}

const threw = (error) => finish(JSON.stringify({ thrown: describe(error, 0) }));
process.on("uncaughtException", threw);
process.on("unhandledRejection", threw);
process.on("beforeExit", () => (ranOut = true));
process.on("exit", (code) => {
  if (answered) return;
  answered = true;
  // At exit nothing is written later.
  print(line(JSON.stringify(ranOut ? { unresolved: true } : { exit: code })));
});

// In its module, the source is one line lower than the caller wrote it.
function positionIn(path, row, column) {
  return path === "buntime-function" ? `function:${row - 1}:${column}` : null;
}

// The source is an expression, in an array because it would get the name "default" otherwise; else a function with a `;` or
// a comment behind it, or a module. The second form has nothing behind the source, so it names the error of a wrong one.
function moduleOf(source) {
  const forms = [`export default [(\n${source}\n)];\n`, `export default\n${source}\n`];
  if (/\bexport\b/.test(source)) forms.push(`\n${source}\n`);
  return forms.find(parses) ?? forms[1];
}

function parses(contents) {
  try {
    new Bun.Transpiler({ loader: "ts" }).scanImports(contents);
    return true;
  } catch {
    return false;
  }
}

async function load(payload) {
  if (payload.source === undefined) return exportOf(payload);
  const contents = moduleOf(payload.source);
  Bun.plugin({
    name: "buntime",
    setup: (build) => build.module("buntime-function", () => ({ contents, loader: "ts" })),
  });
  const exported = (await import("buntime-function")).default;
  const callee = Array.isArray(exported) ? exported[0] : exported;
  if (typeof callee !== "function") throw notAFunction("the source", callee);
  return callee;
}

// Of a batch, a list with the reply of each row. If its function cannot be loaded, that is the error of each.
async function valueOf(payload) {
  const loading = load(payload);
  if (!payload.rows) return (await loading)(...decodeItems(payload.arguments));
  await loading.catch((error) => {
    if (error instanceof ServiceError) throw error;
  });
  const replies = [];
  for (const row of payload.rows) replies.push(await replyOf(async () => (await loading)(...decodeItems(row))));
  return replies;
}

async function call() {
  let payload;
  try {
    payload = JSON.parse(helper.payload ?? take(helper.files));
  } catch {
    return finish('{"gone":true}');
  }
  const { source } = payload;
  // Written before the function can replace it, the reply is behind what the function writes.
  if (source === undefined || REACHES_STDOUT.test(source)) write = process.stdout.write.bind(process.stdout);
  finish(await replyOf(() => valueOf(payload)));
}
call();
