// Say what a path names.
main(({ path }) => {
  const [, found] = present(path);
  return described(nodePath.relative(WORKSPACE, locate(path)), found);
});
