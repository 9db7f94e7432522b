// Read a text file.
main(({ path }) => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return { content: decoder.decode(fs.readFileSync(locate(path))) };
});
