#!/usr/bin/python3
"""Puts the page's style and script, with the parts of d3 that it draws with, into one C++ file, beside what a Content-Security-Policy
calls them.

    bundle.py OUTPUT STYLE SCRIPT LICENCES LIBRARY...
"""
import base64
import hashlib
import re
import sys


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def policy_name(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def literal(text):
    """A C++ raw string; in pieces, for a compiler need not take a longer one than 65,536 characters."""
    assert ')page"' not in text
    return "\n".join(f'R"page({text[i:i + 16000]})page"' for i in range(0, len(text), 16000))


def main(output, style_path, script_path, licences, *libraries):
    style = re.sub(r"/\*.*?\*/\s*", "", text_of(style_path), flags=re.S)
    # The page carries the library to whoever opens it, so it carries the licences too.
    licence = "/*\n" + text_of(licences).strip() + "\n*/"
    script = "\n".join([licence, *(text_of(path).strip() for path in libraries), text_of(script_path)])
    for text in (style, script):
        if re.search(r"</(script|style)|<!--|\r|\0", text, re.I):
            sys.exit("bundle.py: what stands within the page's style or script would end it")
    with open(output, "w", encoding="utf-8") as file:
        file.write('#include "reports/page/assets.h"\n\nnamespace rehearse::reports::page {\n\n')
        for name, text in (("style", style), ("script", script)):
            file.write(f"std::string_view {name}() {{ return\n{literal(text)}; }}\n\n")
            file.write(f'std::string_view {name}_source() {{ return "{policy_name(text)}"; }}\n\n')
        file.write("}  // namespace rehearse::reports::page\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
