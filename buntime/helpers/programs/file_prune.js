// Delete files, links and empty folders below a folder; the content of a folder is listed before it.
main(({ staged, path }) => {
  for (const name of JSON.parse(takeStaged(staged))) {
    try {
      const [full, status] = present(`${path}/${name}`, { follow: false });
      if (status.isDirectory()) fs.rmdirSync(full);
      else fs.unlinkSync(full);
    } catch (error) {
      if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(error.code)) throw error;
    }
  }
  return {};
});
