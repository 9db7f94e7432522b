// Describe a file or folder.
main(({ path }) => {
  const [, status] = present(path);
  return { ...described(nodePath.relative(WORKSPACE, locate(path)), status), ...linkOf(reach(path, { follow: false })) };
});
