// Kill a process and everything in its process group, which may have outlived it.
main(async ({ number }) => {
  const { program, watcher } = stateOf(number);
  const isOurs = isThisBoot(watcher) && [program.born, null].includes(born(fs, program.pid));
  const signalGroup = (signal) => {
    try {
      return process.kill(-program.pid, signal);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
      return false;
    }
  };
  if (isOurs) signalGroup("SIGKILL");
  // Its children may end after it: signal 0 asks whether any is left.
  await pollUntil(5, () => !alive(watcher) && !alive(program) && !(isOurs && signalGroup(0)));
  return readStatus(number);
});
