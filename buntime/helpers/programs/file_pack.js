// Read complete files of a folder, in base64; null for one that has grown above its expected size or cannot be read.
function content(name, size) {
  try {
    const [full, status] = regular(name);
    return status.size > size ? null : fs.readFileSync(full).toString("base64");
  } catch {
    return null;
  }
}

main(({ path, items }) => ({ contents: items.map(([name, size]) => content(`${path}/${name}`, size)) }));
