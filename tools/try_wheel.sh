#!/usr/bin/env bash
# Installs the wheel given in a fresh environment, away from the source tree, and segments a small vessel with it.
set -euo pipefail
wheel=$(realpath "$1")
requirements=$(realpath "$(dirname "$0")/../requirements/run.txt")
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
fresh/bin/python - <<'PY'
import mitk_rs as mitk

phantom = mitk.datasets.tube()
phantom.save("tube.mha")
PY
fresh/bin/mitk-rs init tube.mha -o tube_level_set.mha --surface tube.stl --method fastmarching \
    --source 10 10 2 --target 10 10 17 --lower 50
test -s tube_level_set.mha && test -s tube.stl
echo "$(basename "$wheel"): installed in a fresh environment and segmented a vessel"
