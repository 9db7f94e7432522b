// Start a program that keeps running after this helper. A watcher, a separate process, starts it and records how it ends.
// The reply is sent when the program runs; a start that fails leaves nothing behind.
main(({ code, command, working_dir, stdin = false }) => {
  const cwd = folder(working_dir);
  return start(() => programOf(code, command, stdin), cwd, stdin);
});
