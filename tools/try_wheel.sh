#!/usr/bin/env bash
# Installs the wheel given in a fresh environment, away from the source tree, and runs the lines of the README with it.
set -euo pipefail
wheel=$(realpath "$1")
project=$(realpath "$(dirname "$0")/..")
requirements=$project/requirements/run.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/}python3" -m venv fresh
fresh/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$requirements"
fresh/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$wheel"
for part in licenses/THIRD_PARTY_NOTICES.txt sboms/mitk_rs.cyclonedx.json; do
    test -s fresh/lib/python3*/site-packages/mitk_rs-*.dist-info/"$part"
done
fresh/bin/mitk-rs --version
mkdir empty
(cd empty && ../fresh/bin/python "$project/tools/run_page.py" "$project/README.md")
echo "$(basename "$wheel"): installed in a fresh environment, where every line of the README works"
