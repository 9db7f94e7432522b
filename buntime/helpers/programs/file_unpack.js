// Write many files and folders.
main(({ staged, path }) => {
  const items = JSON.parse(readStaged(staged));
  const part = `${locate(staged)}.${process.pid}`;
  for (const item of items) {
    const name = item.path ? `${path}/${item.path}` : path;
    if (item.base64 === null) {
      fs.mkdirSync(reach(name), { recursive: true });
    } else {
      fs.writeFileSync(part, Buffer.from(item.base64, "base64"));
      install(part, name, item.executable);
    }
  }
  dropStaged(staged);
  return { count: items.length };
});
