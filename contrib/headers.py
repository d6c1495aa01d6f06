"""Compiles each source of the program again without making anything: headers.py BUILD COMPILER [FLAG...].

The commands are those of a build that meson configured; the compiler takes the place of theirs, and its flags stand in front.
Prints what fails; exits with 1 where anything does. Warnings do not count: libraries' headers are written for another C library.
"""
import json
import os
import shlex
import subprocess
import sys

build, compiler = sys.argv[1], sys.argv[2:]
failed = total = 0
for entry in json.load(open(os.path.join(build, "compile_commands.json"))):
    words = shlex.split(entry["command"])
    source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
    if "/src/" not in source or not os.path.exists(source):
        continue
    start = next(i for i, word in enumerate(words) if word.startswith("-"))
    drop = {"-o", "-MF", "-MQ", "-MT", "-c"}
    flags, skip = [], False
    for word in words[start:]:
        if skip or word in ("-MD", "-Werror"):
            skip = False
        elif word in drop:
            skip = True
        else:
            flags.append(word)
    total += 1
    run = subprocess.run([*compiler, *flags, "-Werror=implicit-function-declaration", "-fsyntax-only", entry["file"]], cwd=entry["directory"], capture_output=True, text=True)
    if run.returncode:
        failed += 1
        print(f"{source}:\n{run.stderr}")
print(f"{total} sources, {failed} failed")
sys.exit(1 if failed or not total else 0)
