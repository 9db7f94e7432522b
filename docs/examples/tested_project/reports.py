"""What was sold in each month, computed by a TypeScript program in a session."""

from __future__ import annotations

from collections.abc import Iterator

from buntime import Buntime, Session

PROGRAM = """\
const totals: Record<string, number> = {};
const [, ...lines] = (await Bun.file("orders.csv").text()).trim().split("\\n");
for (const line of lines) {
  const [day, amount] = line.split(",");
  if (Number.isNaN(Number(amount))) {
    console.error(`not an amount: ${line}`);
    process.exit(1);
  }
  const month = day.slice(0, 7);
  totals[month] = (totals[month] ?? 0) + Number(amount);
}
console.log(JSON.stringify(totals));
"""

COUNT = "async (path) => (await Bun.file(path).text()).trim().split('\\n').length - 1"

IMPORT = """\
for (const part of [1, 2, 3]) {
  console.log(`imported part ${part}`);
  await Bun.sleep(20);
}
"""


def monthly_totals(client: Buntime, orders: str) -> dict[str, float]:
    """Return the sum of the orders of each month; ``ExecutionFailedError`` if an amount is not a number."""
    with client.sessions.create(ttl=600, metadata={"purpose": "reports"}) as session:
        session.files.write("orders.csv", orders)
        totals: dict[str, float] = session.execute(PROGRAM, check=True).json()
    return totals


def count_orders(client: Buntime, orders: str, run: str) -> int:
    """Return the number of orders; the id of the run is metadata of the session."""
    with client.sessions.create(metadata={"run": run}) as session:
        session.files.write("orders.csv", orders)
        return int(session.call(COUNT, "orders.csv"))


def import_orders(session: Session) -> Iterator[str]:
    """Yield the progress of an import, a line at a time."""
    with session.stream(IMPORT, check=True) as stream:
        for event in stream:
            yield from event.text.splitlines()
