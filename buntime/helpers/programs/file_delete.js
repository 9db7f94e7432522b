// Delete a file, a link, or a folder.
main(({ path, recursive, missing_ok }) => {
  let full, status;
  try {
    [full, status] = present(path, { follow: false });
  } catch (error) {
    if (error.code === "ENOENT" && missing_ok) return {};
    throw error;
  }
  if (full === WORKSPACE) fail("EINVAL", "the workspace itself cannot be deleted");
  if (!status.isDirectory()) fs.unlinkSync(full);
  else if (recursive) fs.rmSync(full, { recursive: true, force: true });
  else if (fs.readdirSync(full).length) fail("ENOTEMPTY", `${path} is a folder that is not empty`);
  else fs.rmdirSync(full);
  return {};
});
