"""Process a CSV file with TypeScript in a session.

Runs on buntime.sh with BUNTIME_API_KEY set, and on this machine with BUNTIME_TRANSPORT=local.
"""

from __future__ import annotations

from buntime import Buntime

DATA = """\
name,age
Alice,30
Bob,25
Charlie,35
"""

PROGRAM = """\
interface Person {
  name: string;
  age: number;
}

const [, ...lines] = (await Bun.file("data.csv").text()).trim().split("\\n");
const people: Person[] = lines.map((line) => {
  const [name, age] = line.split(",");
  return { name, age: Number(age) };
});

const total = people.reduce((sum, person) => sum + person.age, 0);
const oldest = people.reduce((a, b) => (b.age > a.age ? b : a));

console.log(`Average age: ${total / people.length}`);
console.log(`Oldest: ${oldest.name}`);
"""


def run(client: Buntime) -> None:
    """Create a session, run the program on the data, show what came of it, and delete the session."""
    with client.sessions.create(ttl=3600, metadata={"purpose": "process-data"}) as session:
        session.files.write("data.csv", DATA)
        session.files.write("process.ts", PROGRAM)
        result = session.execute(command="bun run process.ts", check=True)
        print(result.stdout, end="")
        print(f"Execution time: {result.execution_time} ms")
        print(f"Memory used: {result.memory_used} bytes")
        print("Files:", ", ".join(file.path for file in session.files.list()))
    print(f"Deleted: {session.id}")


if __name__ == "__main__":
    with Buntime() as client:
        run(client)
