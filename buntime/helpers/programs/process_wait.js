// The status of a process when it has ended, or after `wait` seconds.
main(({ number, wait }) =>
  pollUntil(wait, (last) => {
    const status = readStatus(number);
    return last || !status.running ? status : null;
  }),
);
