// Create a folder and those above it.
main(({ path }) => {
  const full = reach(path);
  try {
    fs.mkdirSync(full, { recursive: true });
  } catch (error) {
    if (!["EEXIST", "ENOTDIR"].includes(error.code)) throw error;
    fail("ENOTDIR", `${path} is a file, or below one; a folder cannot be created there`);
  }
  return {};
});
