// Call a function and return its value, separate from its output.
const TAG = "$buntime";
const LONGEST_LINE = 256 * 1024;
const DEEPEST = 400;
const FRAME = /^\s+at (?:(.*) \()?(.+):(\d+):(\d+)\)?$/;
const HERE = new Error().stack.split("\n").map((line) => FRAME.exec(line)).find(Boolean)?.[2];

// A function reaches process.stdout only by one of these words. It takes longer to load than most functions to run.
const REACHES_STDOUT = /\b(?:process|import|require|module|eval|Function|constructor|global|globalThis|self|this)\b|_stdout|\\u/;
let write = (text, done) => (print(text), done());
const exit = process.exit.bind(process);
let answered = false;
let ranOut = false;

// An error that the client raises as the service's, not as one of the function.
class ServiceError extends Error {
  constructor(code, message) {
    super(message);
    this.reply = { error: { code, message } };
  }
}

function line(json) {
  return `\x1ebuntime:call ${json}\n`;
}

function finish(reply, code) {
  if (answered) return;
  answered = true;
  write(line(typeof reply === "string" ? reply : JSON.stringify(reply)), () => exit(code));
}

const threw = (error) => finish({ thrown: describe(error, 0) }, 1);
process.on("uncaughtException", threw);
process.on("unhandledRejection", threw);
process.on("beforeExit", () => (ranOut = true));
process.on("exit", (code) => {
  if (answered) return;
  answered = true;
  // At exit nothing is written later.
  print(line(JSON.stringify(ranOut ? { unresolved: true } : { exit: code })));
});

// ---- errors of the function

function describe(error, depth) {
  if (error?.constructor?.name === "AggregateError" && error.errors?.[0]?.position) error = error.errors[0];
  if (error?.constructor?.name === "BuildMessage") return invalid(error);
  const likeError =
    error instanceof Error || (typeof error?.name === "string" && typeof error?.message === "string");
  if (!likeError) {
    const message = typeof error === "string" ? error : Bun.inspect(error).slice(0, 2000);
    return { name: error === null ? "null" : typeof error, message, stack: "", details: {} };
  }
  const [name, message] = [String(error.name), String(error.message)];
  const details = {};
  if (typeof error.code === "string" || typeof error.code === "number") details.code = error.code;
  if (depth < 5 && error.cause !== undefined) details.cause = describe(error.cause, depth + 1);
  if (depth < 5 && Array.isArray(error.errors)) {
    details.errors = error.errors.slice(0, 10).map((inner) => describe(inner, depth + 1));
  }
  return { name, message, stack: [title(name, message), ...frames(error, name, message)].join("\n"), details };
}

function invalid({ message, position }) {
  const location = position ? `\n    at ${locationOf(position.file, position.line, position.column)}` : "";
  return { name: "SyntaxError", message, stack: title("SyntaxError", message) + location, details: {} };
}

function title(name, message) {
  return message ? `${name}: ${message}` : name;
}

// The frames of the user's code; those of this program are below them.
function frames(error, name, message) {
  let stack = String(error.stack ?? "");
  if (stack.startsWith(title(name, message))) stack = stack.slice(title(name, message).length);
  const result = [];
  for (const frame of stack.split("\n")) {
    const match = FRAME.exec(frame);
    if (!match || match[2] === "native") continue;
    if (match[2] === HERE) break;
    const location = locationOf(match[2], match[3], match[4]);
    result.push(match[1] ? `    at ${match[1]} (${location})` : `    at ${location}`);
  }
  return result;
}

// In its module, the source is one line lower than the caller wrote it.
function locationOf(path, row, column) {
  if (path === "buntime-function") return `function:${row - 1}:${column}`;
  const inside = path.startsWith(WORKSPACE + nodePath.sep) ? path.slice(WORKSPACE.length + 1) : path;
  return `${inside}:${row}:${column}`;
}

// ---- values

const tagged = (kind, value) => ({ [TAG]: kind, value });

function decode(value) {
  if (value === null || typeof value !== "object") return value;
  if (!Object.hasOwn(value, TAG)) return decodeItems(value);
  const inner = value.value;
  switch (value[TAG]) {
    case "number":
      return Number(inner);
    case "bigint":
      return BigInt(inner);
    case "date":
      return new Date(inner);
    case "bytes":
      return new Uint8Array(Buffer.from(inner, "base64"));
    case "set":
      return new Set(decodeItems(inner));
    default:
      return decodeItems(inner);
  }
}

function decodeItems(value) {
  for (const key of Object.keys(value)) {
    const before = value[key];
    if (before !== null && typeof before === "object") value[key] = decode(before);
  }
  return value;
}

function unfit(path, problem) {
  const where = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  return new TypeError(`the returned value${where && ` at ${where}`} is ${problem}`);
}

function encode(value, path, above) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "undefined":
      return null;
    case "number":
      if (Object.is(value, -0)) return tagged("number", "-0");
      return Number.isFinite(value) ? value : tagged("number", String(value));
    case "bigint":
      return tagged("bigint", String(value));
    case "object":
      return value === null ? null : encodeObject(value, path, above);
    default:
      throw unfit(path, `a ${typeof value}, which has no Python value`);
  }
}

function encodeObject(value, path, above) {
  if (above.has(value)) throw unfit(path, "an object that holds itself");
  if (above.size >= DEEPEST) throw unfit(path.slice(0, 3), `nested more than ${DEEPEST} levels deep`);
  above.add(value);
  const encoded = encodeKind(value, path, above);
  above.delete(value);
  return encoded;
}

function encodeKind(value, path, above) {
  const item = (inner, key) => {
    path.push(key);
    const encoded = encode(inner, path, above);
    path.pop();
    return encoded;
  };
  if (Array.isArray(value)) return Array.from(value, item);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw unfit(path, "an invalid Date");
    return tagged("date", value.getTime());
  }
  if (value instanceof Map) {
    return tagged("map", Array.from(value, ([key, inner], index) => [item(key, index), item(inner, index)]));
  }
  if (value instanceof Set) return tagged("set", Array.from(value, item));
  const bytes = bytesOf(value);
  if (bytes) return tagged("bytes", bytes.toString("base64"));
  if (ArrayBuffer.isView(value)) return Array.from(value, item);
  if (value instanceof RegExp) throw unfit(path, "a RegExp; return its source and flags");
  if (value instanceof Error) throw unfit(path, "an Error; throw it, or return its message");
  if (typeof value.toJSON === "function") return encode(value.toJSON(path.at(-1) ?? ""), path, above);
  return encodeFields(value, path, item);
}

function bytesOf(value) {
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return Buffer.from(value);
  const isBytes =
    value instanceof Uint8Array || value instanceof Uint8ClampedArray || value instanceof DataView;
  return isBytes ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : null;
}

function encodeFields(value, path, item) {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (["Number", "String", "Boolean", "BigInt"].includes(kind)) return item(value.valueOf(), "valueOf()");
  if (kind !== "Object") {
    const name = value.constructor?.name;
    throw unfit(path, `a ${name && name !== "Object" ? name : kind}, which has no Python value`);
  }
  const fields = Object.create(null);
  for (const key of Object.keys(value)) fields[key] = item(value[key], key);
  return Object.hasOwn(value, TAG) ? tagged("object", fields) : fields;
}

// ---- the call

function take(names) {
  const paths = names.map(locate);
  const text = paths.map((path) => fs.readFileSync(path, "utf8")).join("");
  for (const path of paths) fs.rmSync(path, { force: true });
  return text;
}

// The source is an expression, in an array because it would get the name "default" otherwise; else a function with a `;` or
// a comment behind it, or a module. The first form names the error if none is right.
function moduleOf(source) {
  const forms = [`export default [(\n${source}\n)];\n`, `export default\n${source}\n`];
  if (/\bexport\b/.test(source)) forms.push(`\n${source}\n`);
  return forms.find(parses) ?? forms[0];
}

function parses(contents) {
  try {
    new Bun.Transpiler({ loader: "ts" }).scanImports(contents);
    return true;
  } catch {
    return false;
  }
}

async function load({ source, file, name }) {
  if (source !== undefined) {
    const contents = moduleOf(source);
    Bun.plugin({
      name: "buntime",
      setup: (build) => build.module("buntime-function", () => ({ contents, loader: "ts" })),
    });
    const exported = (await import("buntime-function")).default;
    const callee = Array.isArray(exported) ? exported[0] : exported;
    if (typeof callee !== "function") throw notAFunction("the source", callee);
    return callee;
  }
  const exports = await import(resolve(file));
  if (!(name in exports)) {
    const names = Object.keys(exports).join(", ") || "nothing";
    throw new TypeError(`${file} has no export ${JSON.stringify(name)}; it exports ${names}`);
  }
  if (typeof exports[name] !== "function") throw notAFunction(`${file}#${name}`, exports[name]);
  return exports[name];
}

function notAFunction(name, value) {
  return new TypeError(`${name} is ${value === null ? "null" : `of type ${typeof value}`}, not a function`);
}

function resolve(file) {
  try {
    return Bun.resolveSync(locate(file), WORKSPACE);
  } catch (error) {
    if (error.code === "EOUTSIDE") throw new ServiceError(error.code, error.message);
    if (fs.existsSync(locate(file))) throw new ServiceError("EINVAL", `Bun cannot import a file with this name: ${file}`);
    throw new ServiceError("ENOENT", `the workspace has no file ${file}`);
  }
}

// Write a value that is too long for a line into a separate file.
function store(json) {
  const folder = locate(".buntime/results");
  fs.mkdirSync(folder, { recursive: true });
  const hash = new Bun.CryptoHasher("sha256").update(json).digest("hex").slice(0, 32);
  for (let number = 0; ; number++) {
    const name = `${hash}.${number}`;
    try {
      fs.writeFileSync(nodePath.join(folder, name), json, { flag: "wx" });
      return { stored: `.buntime/results/${name}` };
    } catch (error) {
      if (error.code !== "EEXIST") throw new ServiceError(error.code, error.message);
    }
  }
}

async function call() {
  let payload;
  try {
    payload = JSON.parse(helper.payload ?? take(helper.files));
  } catch {
    return finish({ gone: true }, 1);
  }
  try {
    const { source } = payload;
    // Written before the function can replace it, the reply is behind what the function writes.
    if (source === undefined || REACHES_STDOUT.test(source)) write = process.stdout.write.bind(process.stdout);
    const callee = await load(payload);
    const json = JSON.stringify(encode(await callee(...decodeItems(payload.arguments)), [], new Set()));
    finish(json.length > LONGEST_LINE ? store(json) : `{"value":${json}}`, 0);
  } catch (error) {
    error instanceof ServiceError ? finish(error.reply, 1) : threw(error);
  }
}
call();
