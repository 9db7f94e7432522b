// Read complete files of a folder, in base64; one that has grown above its expected size is null.
main(({ path, items }) => {
  const contents = items.map(([name, size]) => {
    const [full, status] = regular(`${path}/${name}`);
    return status.size > size ? null : fs.readFileSync(full).toString("base64");
  });
  return { contents };
});
