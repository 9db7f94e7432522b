"""The background programs of the suite, and their scripts for a fake."""

from __future__ import annotations

import hashlib

from buntime.transport import FakeTransport, ScriptedResult

BOTH = 'console.log("☃ out"); console.error("err"); process.exit(3);'
ECHO = "console.log(process.env.WORD, require('node:path').basename(process.cwd()));"
CUT = """
process.stdout.write("a");
for (const byte of Buffer.from("☃😀")) {
  process.stdout.write(Buffer.from([byte]));
  await Bun.sleep(15);
}
"""
LARGE = 'process.stdout.write("0123456789☃".repeat(50_000)); process.stderr.write("e".repeat(1000));'
LARGE_OUT = "0123456789☃" * 50_000
FOREVER = 'console.log("up"); setInterval(() => {}, 1000);'
FAMILY = "echo up; sleep 1000 & sleep 1000"
READS_STDIN = "cat; echo end"
CHECKSUM = "sha256sum | cut -c1-64; exit 3"
LINES = "for await (const line of console) console.log(`read ${line}`);"
SERVER = """
const options = { port: Number(process.env.PORT), hostname: "127.0.0.1", fetch: () => new Response("") };
console.log(Bun.serve(options).port);
"""
NAMED = """
Bun.serve({
  port: 8080,
  maxRequestBodySize: 2 ** 30,
  async fetch(request, server) {
    if (server.upgrade(request)) return;
    const body = await request.text();
    return new Response(process.env.NAME + " " + body);
  },
  websocket: { message: (socket, text) => void socket.send(`${process.env.NAME} ${text}`) },
});
"""


def script(fake: FakeTransport) -> None:
    """Script the programs above on a fake."""
    fake.on_execute(BOTH, stdout="☃ out\n", stderr="err\n", exit_code=3)
    fake.on_execute(ECHO, handler=lambda run: f"{run.env['WORD']} {run.working_dir}\n")
    fake.on_execute(CUT, stdout="a☃😀")
    fake.on_execute(LARGE, stdout=LARGE_OUT, stderr="e" * 1000)
    fake.on_execute(FOREVER, stdout="up\n", keeps_running=True)
    fake.on_execute(SERVER, stdout="3000\n", keeps_running=True)
    fake.on_execute(command=FAMILY, stdout="up\n", keeps_running=True)
    fake.on_execute(command=READS_STDIN, stdout="end\n")
    fake.on_execute(
        command=CHECKSUM,
        handler=lambda run: ScriptedResult(hashlib.sha256(run.stdin).hexdigest() + "\n", exit_code=3),
    )
    fake.on_execute(
        LINES, handler=lambda run: "".join(f"read {line}\n" for line in run.stdin.decode().splitlines())
    )
