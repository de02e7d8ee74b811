#!/usr/bin/env bash
# Rust tests with the Python feature. The test binary embeds the interpreter, so it needs the shared libpython of
# $PYO3_PYTHON at link time and at run time; where the machine has none, the tests are compiled but cannot run.
set -euo pipefail
library=$("$PYO3_PYTHON" - <<'PY'
import sysconfig
from pathlib import Path

folders = [sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LIBPL")]
multiarch = sysconfig.get_config_var("MULTIARCH")
folders += [f"{folder}/{multiarch}" for folder in folders[:1] if multiarch]
names = {sysconfig.get_config_var("LDLIBRARY"), f"libpython{sysconfig.get_config_var('LDVERSION')}.so"}
found = [folder for folder in folders for name in names if name.endswith(".so") and (Path(folder) / name).exists()]
print(found[0] if found else "")
PY
)
if [ -n "$library" ]; then
    export LD_LIBRARY_PATH="$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    exec cargo test --locked --features python
fi
cargo check --locked --quiet --tests --features python
echo "skipped: tests of the bindings were compiled, not run: no shared libpython (Debian: libpython3-dev)"
