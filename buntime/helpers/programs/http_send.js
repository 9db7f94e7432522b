// Send a request to a server on 127.0.0.1 in the session, and print its response; redirects are not followed.
main(async ({ port, path, method, headers, staged, limit, wait }) => {
  const body = staged === null ? undefined : Buffer.from(takeStaged(staged), "base64");
  const signal = AbortSignal.timeout(wait * 1000);
  const options = { method, headers, body, signal, redirect: "manual", timeout: false };
  let response;
  const bytes = [];
  try {
    response = await fetch(`http://127.0.0.1:${port}${path}`, options);
    let size = 0;
    for await (const piece of response.body ?? []) {
      size += piece.length;
      if (size > limit) return { failed: "too_long" };
      bytes.push(piece);
    }
  } catch (error) {
    const refused = /refused/i.test(String(error.code));
    const failed = error.name === "TimeoutError" ? "timeout" : refused ? "refused" : "no_response";
    return { failed, message: String(error.message) };
  }
  return { status: response.status, headers: [...response.headers], base64: Buffer.concat(bytes).toString("base64") };
});
