"""Run the processor of a telegraf.conf in the Starlark of Go, the language and the interpreter that Telegraf embeds.

    starlark_client.py FILE FIELDS      FIELDS and what is left of them are JSON

A metric of Telegraf is an object of its own with `fields` in it; here it is a plain dictionary.
"""

import json
import sys
import tomllib

from starlark_go import Starlark

with open(sys.argv[1], "rb") as file:
    (processor,) = tomllib.load(file)["processors"]["starlark"]
machine = Starlark()
machine.exec(processor["source"].replace("metric.fields", 'metric["fields"]'))
print(json.dumps(machine.eval(f"apply({{'fields': {json.loads(sys.argv[2])!r}}})")["fields"]))
