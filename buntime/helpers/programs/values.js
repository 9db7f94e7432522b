// Shared by the programs that call functions and evaluate code: errors and values, as the client reads them.
const TAG = "$buntime";
const LONGEST_LINE = 256 * 1024;
const DEEPEST = 400;
const FRAME = /^\s+at (?:(.*) \()?(.+):(\d+):(\d+)\)?$/;
const HERE = new Error().stack.split("\n").map((line) => FRAME.exec(line)).find(Boolean)?.[2];

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
    if (location) result.push(match[1] ? `    at ${match[1]} (${location})` : `    at ${location}`);
  }
  return result;
}

// A program has `positionIn`: where a position is in the source that the caller wrote, null in other files, "" for a frame to drop.
function locationOf(path, row, column) {
  const inside = path.startsWith(WORKSPACE + nodePath.sep) ? path.slice(WORKSPACE.length + 1) : path;
  return positionIn(path, Number(row), Number(column)) ?? `${inside}:${row}:${column}`;
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

// ---- functions and replies

// Return the text of a payload, which may be in files that are read once.
function take(names) {
  const paths = names.map(locate);
  const text = paths.map((path) => fs.readFileSync(path, "utf8")).join("");
  for (const path of paths) fs.rmSync(path, { force: true });
  return text;
}

async function exportOf({ file, name }) {
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

// The reply, as JSON, with the value that `produce` returns or the error that it throws.
async function replyOf(produce) {
  try {
    const json = JSON.stringify(encode(await produce(), [], new Set()));
    return json.length > LONGEST_LINE ? JSON.stringify(store(json)) : `{"value":${json}}`;
  } catch (error) {
    return JSON.stringify(error instanceof ServiceError ? error.reply : { thrown: describe(error, 0) });
  }
}

const succeeded = (reply) => reply.startsWith('{"value":') || reply.startsWith('{"stored":');
