// Every process that was started, in order of their numbers.
main(() => {
  const names = fs.existsSync(PROCESSES) ? fs.readdirSync(PROCESSES) : [];
  const numbers = names.map(Number).filter((number) => Number.isInteger(number) && stored(number, "state"));
  return { processes: numbers.sort((a, b) => a - b).map(readStatus) };
});
