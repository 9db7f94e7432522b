// Write many files and folders.
main(({ staged, path }) => {
  const items = JSON.parse(takeStaged(staged));
  const part = `${locate(staged)}.${process.pid}`;
  for (const item of items) {
    const name = item.path ? `${path}/${item.path}` : path;
    if (item.link) {
      const full = reach(name, { follow: false });
      fs.mkdirSync(nodePath.dirname(full), { recursive: true });
      fs.rmSync(full, { force: true });
      fs.symlinkSync(item.link, full);
    } else if (item.base64 === null) {
      fs.mkdirSync(reach(name), { recursive: true });
    } else {
      try {
        fs.writeFileSync(part, Buffer.from(item.base64, "base64"));
        install(part, name, item.executable);
      } finally {
        fs.rmSync(part, { force: true });
      }
    }
  }
  return { count: items.length };
});
