// Write many files, and make folders.
main(({ staged, path }) => {
  const items = JSON.parse(taken(staged));
  const part = `${locate(staged)}.${process.pid}`;
  for (const item of items) {
    const name = item.path ? `${path}/${item.path}` : path;
    if (item.base64 === null) {
      fs.mkdirSync(reach(name), { recursive: true });
    } else {
      fs.writeFileSync(part, Buffer.from(item.base64, "base64"));
      place(part, name, item.executable);
    }
  }
  used(staged);
  return { count: items.length };
});
