// Evaluate in a REPL, and print the output and the reply. The file `turn` has the offsets in the output at which the last
// evaluation began, and up to which its output was printed: one that is sent again is not evaluated again.
const LONGEST_OUTPUT = 1024 * 1024;
const PIECE = 256 * 1024;
const STARTS_WITHIN = 10_000;
const OUTPUTS = ["stdout", "stderr"].map((name) => nodePath.join(folderOf(helper.number), name));

// Output that was printed is dropped before the next evaluation, if nothing was written meanwhile.
function beginTurn() {
  const last = stored(helper.number, "turn") ?? { turn: 0, begin: [0, 0], at: [0, 0] };
  if (last.turn === helper.turn) return { ...last, at: [...last.begin] };
  const begin = OUTPUTS.map((path, index) => {
    const { size } = fs.statSync(path);
    if (size > LONGEST_OUTPUT && size === last.at[index]) fs.truncateSync(path, 0);
    return size > LONGEST_OUTPUT && size === last.at[index] ? 0 : Math.min(size, last.at[index]);
  });
  return { turn: helper.turn, begin, at: [...begin] };
}

function printOutput(progress, buffer) {
  const before = String(progress.at);
  OUTPUTS.forEach((path, index) => {
    const file = fs.openSync(path, "r");
    for (let rest = fs.fstatSync(file).size - progress.at[index], count; rest > 0; rest -= count) {
      count = fs.readSync(file, buffer, 0, Math.min(PIECE, rest), progress.at[index]);
      if (!count) break;
      print(buffer.subarray(0, count), index + 1);
      progress.at[index] += count;
    }
    fs.closeSync(file);
  });
  if (String(progress.at) === before) return;
  const state = nodePath.join(folderOf(helper.number), "turn");
  fs.writeFileSync(`${state}.new`, JSON.stringify(progress));
  fs.renameSync(`${state}.new`, state);
}

async function ask(payload) {
  const unix = `.buntime/processes/${helper.number}/repl.socket`;
  const body = JSON.stringify({ turn: helper.turn, payload });
  for (const until = performance.now() + STARTS_WITHIN; ; await Bun.sleep(2)) {
    try {
      return await (await fetch("http://localhost/", { unix, method: "POST", body, timeout: false })).text();
    } catch {
      const { running, exit_code } = readStatus(helper.number);
      if (!running) return JSON.stringify({ ended: exit_code });
      if (performance.now() > until) return JSON.stringify({ error: { code: "ETIMEDOUT", message: "the REPL does not respond" } });
    }
  }
}

async function evaluate() {
  if (!stored(helper.number, "state")) return '{"ended":null}';
  let payload;
  try {
    payload = helper.payload ?? take(helper.files);
  } catch {
    return '{"gone":true}';
  }
  const [progress, buffer] = [beginTurn(), Buffer.allocUnsafe(PIECE)];
  const timer = setInterval(printOutput, 25, progress, buffer);
  const reply = await ask(payload);
  clearInterval(timer);
  printOutput(progress, buffer);
  return reply;
}

evaluate().then((reply) => {
  print(line(reply));
  process.exit(succeeded(reply) ? 0 : 1);
});
