#!/usr/bin/python3
"""A Tango client that does what the test tells it, and no server: clients.py starts it.

Each line on standard input is Python, as a JSON string; the answer is a line with [value, error]: the
value of an expression, or null. What it has received is in ``received``: a list of values for each name
given to ``collect()``, which makes a callback.
"""

import json
import sys
import time  # noqa: F401  for what the test sends

received = {}
errors = []
delay = [0.0]


def collect(name):
    values = received.setdefault(name, [])

    def callback(event):
        if event.err:
            errors.append(str(event.errors[0].reason))
        else:
            values.append(event.attr_value.value)
        if delay[0]:
            time.sleep(delay[0])

    return callback


def do(code):
    try:
        compiled = compile(code, "<test>", "eval")
    except SyntaxError:
        exec(compile(code, "<test>", "exec"), globals())
        return None
    return eval(compiled, globals())


def main():
    for line in sys.stdin:
        try:
            answer = [do(json.loads(line)), None]
        except Exception as error:
            answer = [None, f"{type(error).__name__}: {error}"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
