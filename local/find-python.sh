#!/bin/sh
# Print the interpreter that everything here is made with: $PYTHON, else a Python 3.13 from PATH, from
# pyenv or from uv ($1), else the python3 at hand from 3.11 on, with a notice.
uv=$1

works() { "$1" -c "import sys; sys.exit(sys.version_info[:2] $2)" 2>/dev/null; }
path_of() { "$1" -c "import os, sys; print(os.path.realpath(sys.executable))"; }

if [ -n "$PYTHON" ]; then
    path_of "$PYTHON"
    exit
fi
# A shim of pyenv may be on PATH and fail, while the version stands beside it.
for python in python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 python3; do
    if works "$python" "!= (3, 13)"; then
        path_of "$python"
        exit
    fi
done
if timeout 120 "$uv" python install --quiet 3.13 2>/dev/null; then
    "$uv" python find --no-project 3.13
    exit
fi
if works python3 "< (3, 11)"; then
    echo "Note: no Python 3.13 is to be had, so everything is made with $(python3 -V)." >&2
    path_of python3
    exit
fi
echo "Medkarta needs Python 3.11 or later (3.13 by preference); python3 is $(python3 -V 2>&1)." >&2
exit 1
