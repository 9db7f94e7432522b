// Delete files, links and folders below a folder, those in a folder before it; one that is not empty stays.
main(({ staged, path }) => {
  for (const name of JSON.parse(taken(staged))) {
    try {
      const [full, found] = present(`${path}/${name}`, { follow: false });
      if (found.isDirectory()) fs.rmdirSync(full);
      else fs.unlinkSync(full);
    } catch (error) {
      if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(error.code)) throw error;
    }
  }
  used(staged);
  return {};
});
