// How a process is, once it has ended or `wait` seconds have passed.
main(({ number, wait }) =>
  pollUntil(wait, (last) => {
    const found = readStatus(number);
    return last || !found.running ? found : null;
  }),
);
