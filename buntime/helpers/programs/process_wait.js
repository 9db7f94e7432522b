// How a process is, once it has ended or `wait` seconds have passed.
main(({ number, wait }) =>
  within(wait, (last) => {
    const found = look(number);
    return last || !found.running ? found : null;
  }),
);
