// Abandon an evaluation. `kept` is whether the REPL responds, which it cannot in an endless loop.
main(async ({ number, turn }) => {
  const body = JSON.stringify({ turn, stop: true });
  const unix = `.buntime/processes/${number}/repl.socket`;
  try {
    await fetch("http://localhost/", { unix, method: "POST", body, signal: AbortSignal.timeout(2000) });
    return { kept: true };
  } catch {
    return { kept: false };
  }
});
