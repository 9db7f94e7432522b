// Set the permissions of a file or folder.
main(({ path, mode }) => {
  fs.chmodSync(present(path)[0], mode);
  return {};
});
