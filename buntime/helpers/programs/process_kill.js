// Kill a process and everything in its process group, which may have outlived it.
main(async ({ number }) => {
  const { program, watcher } = stateOf(number);
  if (isThisBoot(watcher) && [program.born, null].includes(born(fs, program.pid))) {
    try {
      process.kill(-program.pid, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
  await pollUntil(5, () => !alive(watcher) && !alive(program));
  return readStatus(number);
});
