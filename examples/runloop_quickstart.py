"""Runloop's first example: run a command in a devbox.

Run it with the key of your account in RUNLOOP_API_KEY, or with RUNLOOP_TRANSPORT=local on this machine.
"""

from buntime.runloop import RunloopSDK

runloop = RunloopSDK()  # bearer_token defaults to RUNLOOP_API_KEY

# Create a devbox and wait until it is ready.
devbox = runloop.devbox.create()

# Run a command.
result = devbox.cmd.exec('echo "Hello, World!"')
print(result.stdout().rstrip())
print(result.exit_code)

# Shut down.
devbox.shutdown()
runloop.close()
