// The process of a REPL. It evaluates in its global scope, one evaluation after another, and replies on a socket. Bun's own
// transformation makes the declarations of an evaluation global, and its last expression the value.
const { Response, String } = globalThis; // code of the user may replace these
const stdout = process.stdout;
const LONGEST_HISTORY = 4 * 1024 * 1024;
const KEYWORDS = /(?:^|[;}])(?:export)?(?:const|let|var)(?:[^;]*,)?$/;
const DECLARED = /^([\w$]+)=(?:class\1\b|\(?awaitimport\("|import_[\w$]+\.)|^\(\(([\w$]+)\)=>.*\)\(\2\|\|=\{\}\)$/;
const TOKEN = /\/\/.*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w$]+|[^\s\w$;(),]/g;
const history = new Map(); // name of an evaluation -> [its source, the code that was evaluated]
let current = { turn: 0, reply: null, settle() {} };

globalThis.require = require;
const raised = (error) => current.settle(JSON.stringify({ thrown: describe(error, 0) })) || console.error(error);
process.on("uncaughtException", raised);
process.on("unhandledRejection", raised);

Bun.serve({
  unix: SOCKET,
  idleTimeout: 0,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  async fetch(request) {
    return new Response(await answer(JSON.parse(await request.text())));
  },
});

// An evaluation that arrives twice, because its response was lost, has one reply.
async function answer({ turn, payload, stop }) {
  const last = current;
  if (stop && turn === last.turn) last.settle('{"stopped":true}');
  if (stop || turn <= last.turn) return stop ? "" : last.reply;
  const next = { turn };
  next.reply = new Promise((resolve) => (next.resolve = resolve));
  next.settle = (reply) => !next.settled && (next.settled = next.resolve(reply) ?? true);
  current = next;
  await last.reply;
  // The reply goes behind the output. An error elsewhere, or the client, may settle the evaluation before.
  const reply = replyOf(() => run(JSON.parse(payload), `buntime-eval-${turn}`));
  reply.then((text) => stdout.write("", () => next.settle(text)));
  return next.reply;
}

async function run(payload, name) {
  if (!payload.arguments) return evaluate(payload.source, name);
  const callee = payload.source === undefined ? await exportOf(payload) : await evaluate(payload.source, name, true);
  if (typeof callee !== "function") throw notAFunction("the source", callee);
  return callee(...decodeItems(payload.arguments));
}

async function evaluate(source, name, isFunction = false) {
  const [code, hasValue] = transform(isFunction ? `(${source}\n)` : source);
  history.set(name, [source, code]);
  for (let size = 0, names = [...history.keys()].reverse(), each; (each = names.shift()); ) {
    if ((size += history.get(each)[1].length) > LONGEST_HISTORY && each !== name) history.delete(each);
  }
  let result;
  for (const part of hoisted(code)) result = await (0, eval)(`${part}\n//# sourceURL=${name}`);
  return hasValue ? await result?.value : undefined;
}

// Bun returns the value of a declaration too; here only an expression has one. It is a declaration if the same code with its
// declarations has a keyword before that value, or another form: that of a class, a namespace, an enum or an import.
function transform(source) {
  const options = { tsconfig: { compilerOptions: { jsx: "react" } } };
  const loader = parses(source, "tsx") || !parses(source, "ts") ? "tsx" : "ts";
  refuseReturn(source, loader);
  const code = new Bun.Transpiler({ ...options, loader, replMode: true }).transformSync(source);
  const value = /^    value: ([\s\S]*)\n  };\n}\)\(\);\n*$/m.exec(code)?.[1].replace(/\s+/g, "");
  if (value === undefined) return [code, false];
  const plain = new Bun.Transpiler({ ...options, loader }).transformSync(source).replace(/\s+/g, "");
  if (plain.endsWith(`${value};`)) return [code, !KEYWORDS.test(plain.slice(0, -value.length - 1))];
  return [code, !DECLARED.test(value)];
}

// Bun refuses a return at the top level beside an await only; elsewhere it would end the evaluation without a value.
function refuseReturn(source, loader) {
  if (!/\breturn\b/.test(source)) return;
  try {
    new Bun.Transpiler({ loader }).transformSync(`${source}\n;await 0`);
  } catch (error) {
    const isReturn = [error, ...(error.errors ?? [])].some(({ message }) => /^Top-level return/.test(message));
    if (isReturn) throw new SyntaxError("return outside of a function: end with an expression, such as its value");
  }
}

function parses(source, loader) {
  try {
    new Bun.Transpiler({ loader }).scanImports(source);
    return true;
  } catch {
    return false;
  }
}

// Functions are declared in the global scope, so that those of earlier evaluations call the newest. The transformed code
// declares them inside a function, in lines of their own. Both parts keep the positions of their lines.
function hoisted(code) {
  const [lines, functions] = [code.split("\n"), []];
  for (let at = 0; at < lines.length; at++) {
    const name = /^  this\.([\w$]+) = \1;$/.exec(lines[at])?.[1];
    if (!name || !/^  (async )?function/.test(lines[at + 1])) continue;
    lines[at] = "";
    for (let inside = true; inside; ) {
      at++;
      inside = lines[at] !== "  }" && !(lines[at].startsWith("  ") && /^  (async )?function.*\{\}$/.test(lines[at]));
      functions[at] = lines[at] ?? "";
      lines[at] = "";
      if (at >= lines.length) return [code];
    }
  }
  const parts = [Array.from(functions, (line) => line ?? "").join("\n"), lines.join("\n")];
  return functions.length && parts.every((part) => parses(part, "js")) ? parts : [code];
}

// ---- positions in the source

// Bun's code is the source in another form, so its tokens are aligned with those of the source.
function positionIn(path, row, column) {
  if (/^input\.tsx?$/.test(path)) return `eval-${current.turn}:${row}:${column}`;
  const [source, code] = history.get(path) ?? [];
  if (code === undefined) return null;
  const [old, now] = [tokensOf(source), tokensOf(code)];
  const matches = align(now.map(({ text }) => text), old.map(({ text }) => text));
  let index = now.findLastIndex((token) => token.row < row || (token.row === row && token.column <= column));
  while (index >= 0 && matches[index] === undefined) index--;
  const lines = code.trimEnd().split("\n").length;
  if (row >= lines || index < 0) return "";
  const { row: line, column: start } = old[matches[index]];
  return `${path.replace("buntime-", "")}:${line}:${start}`;
}

function tokensOf(text) {
  const tokens = [];
  let [row, begin] = [1, 0];
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    for (let end; (end = text.indexOf("\n", begin)) >= 0 && end < index; row++) begin = end + 1;
    if (!/^\/[/*]/.test(token)) tokens.push({ text: token.replace(/^["']|["']$/g, ""), row, column: index - begin + 1 });
  }
  return tokens;
}

// The shortest edit script (Myers): for each item of `one`, the index of its match in `other`.
function align(one, other) {
  const [trace, reach] = [[], new Map([[1, 0]])];
  for (let edits = 0; edits <= Math.min(one.length + other.length, 4000); edits++) {
    trace.push(new Map(reach));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && reach.get(k - 1) < reach.get(k + 1));
      let x = down ? reach.get(k + 1) : reach.get(k - 1) + 1;
      while (x < one.length && x - k < other.length && one[x] === other[x - k]) x++;
      reach.set(k, x);
      if (x >= one.length && x - k >= other.length) return backtrack(trace, k, x, one);
    }
  }
  return [];
}

function backtrack(trace, k, x, one) {
  const matches = new Array(one.length);
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits];
    const down = k === -edits || (k !== edits && reach.get(k - 1) < reach.get(k + 1));
    const before = down ? k + 1 : k - 1;
    const start = edits ? reach.get(before) + (down ? 0 : 1) : 0;
    while (x > start) matches[--x] = x - k;
    [k, x] = [before, edits ? reach.get(before) : 0];
  }
  return matches;
}
