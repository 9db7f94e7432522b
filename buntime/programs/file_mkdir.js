// Make a folder and those above it.
main(({ path }) => {
  const full = reach(path);
  fs.mkdirSync(full, { recursive: true });
  return {};
});
