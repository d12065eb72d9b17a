#!/usr/bin/env python3
"""Draws docs/session.svg for the README from the real program: runs a session on the lab and shows what it printed.

    docs/record.py [target/release/runbook]

Needs nothing but Python 3. Nothing in the picture is written by hand; long outputs are cut, with a line that says so.
"""
import html
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "target/release/runbook").resolve()
COLUMNS = 92
# The command as it is shown, and how many lines of its output.
SESSION = [
    ("runbook run kubeconfig.rhai --lab k3s-double-tunnel --dry-run --diff", 34),
    ("runbook run kubeconfig.rhai --lab k3s-double-tunnel --yes", 40),
    ("runbook undo RUN --yes", 20),
]
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea",
           "91": "#ff7b72", "92": "#7ee787", "93": "#e3b341", "94": "#79c0ff", "95": "#d2a8ff", "96": "#76e3ea"}
STYLE = re.compile(r"\x1b\[([0-9;]*)m")


def tutorial_book():
    """The runbook that docs/tutorial.md ends with."""
    page = (HERE / "tutorial.md").read_text()
    blocks = re.findall(r"^```rhai kubeconfig\.rhai(?: \+)?\n(.*?)^```", page, re.S | re.M)
    return "\n".join(blocks)


def run(command, folder):
    env = {"PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8", "COLUMNS": str(COLUMNS),
           "RUNBOOK_STATE_DIR": f"{folder}/state", "RUNBOOK_LAB_NO_SYNC": "1"}
    runs = sorted(os.listdir(f"{folder}/state/runs")) if os.path.isdir(f"{folder}/state/runs") else []
    words = [runs[-1] if word == "RUN" else word for word in command.split()[1:]]
    done = subprocess.run([PROGRAM, "--color", "always", *words], cwd=folder, env=env, text=True, check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.rstrip("\n").split("\n")


def spans(line):
    """A line with escape sequences as SVG."""
    out, colour, bold, dim, at = [], None, False, False, 0
    for match in [*STYLE.finditer(line), None]:
        text = line[at:match.start() if match else len(line)]
        if text:
            style = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "")
            style += ' opacity="0.6"' if dim else ""
            out.append(f"<tspan{style}>{html.escape(text)}</tspan>")
        if not match:
            break
        at = match.end()
        for code in (match.group(1) or "0").split(";"):
            if code in ("0", ""):
                colour, bold, dim = None, False, False
            elif code == "1":
                bold = True
            elif code == "2":
                dim = True
            elif code == "39":
                colour = None
            elif code in COLOURS:
                colour = COLOURS[code]
    return "".join(out)


def main():
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "kubeconfig.rhai").write_text(tutorial_book())
        for command, most in SESSION:
            output = run(command, folder)
            lines.append(f"\x1b[1m$ {command}\x1b[0m")
            lines.extend(output[:most])
            if len(output) > most:
                lines.append(f"\x1b[2m({len(output) - most} more lines)\x1b[0m")
            lines.append("")
    height = 18 * len(lines) + 20
    width = 8.4 * COLUMNS + 30
    rows = "\n".join(f'<text x="15" y="{25 + 18 * row}" xml:space="preserve">{spans(line)}</text>'
                     for row, line in enumerate(lines))
    (HERE / "session.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-size="14" fill="#e6edf3" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, DejaVu Sans Mono, monospace" role="img" '
        f'aria-label="A session of runbook on a simulated cluster">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{rows}\n</svg>\n')
    print(f"{HERE / 'session.svg'}: {len(lines)} lines")


main()
