"""Turns text files into C strings: text.py OUTPUT NAME=FILE..."""
import sys

with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write("/* Made from files beside page.h. */\n#include \"page/render.h\"\n\n")
    for pair in sys.argv[2:]:
        name, path = pair.split("=", 1)
        out.write(f"const char {name}[] =\n")
        for line in open(path, encoding="utf-8"):
            out.write('    "' + line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"') + '\\n"\n')
        out.write(";\n\n")
