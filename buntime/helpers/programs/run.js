// Run a program with standard input from `text`, `base64` or the file `path`, which is deleted unless `reusable`. It has the
// standard output of this helper.
const { code, command, working_dir, text, base64, path, reusable } = helper;
try {
  const input = path === undefined ? Buffer.from(text ?? base64, text === undefined ? "base64" : "utf8") : null;
  const file = input ? null : fs.openSync(locate(path), "r");
  if (file !== null && !reusable) fs.unlinkSync(locate(path));
  const cwd = folder(working_dir);
  const { argv } = programOf(code, command, true);
  const env = { ...environment(), PWD: cwd };
  const child = Bun.spawn({ cmd: argv, cwd, env, stdio: [file ?? (input.length ? input : "ignore"), "inherit", "inherit"] });
  await child.exited;
  process.exit(child.signalCode ? 128 + require("node:os").constants.signals[child.signalCode] : child.exitCode);
} catch (error) {
  console.error(`buntime: the program cannot be started: ${error.message}`);
  process.exit(126);
}
