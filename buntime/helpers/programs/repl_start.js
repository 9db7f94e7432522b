// Start the process of a REPL: `HOST` is its program. A socket's path must be short, so it is relative.
main(() => {
  const code = (number) => `${HOST}(".buntime/processes/${number}/repl.socket");`;
  return start((number) => ({ argv: [process.execPath, "-"], code: code(number) }), WORKSPACE, false);
});
