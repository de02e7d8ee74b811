#!/usr/bin/env bash
# Installs the wheel given in a fresh environment, away from the source tree, and runs the lines of the README with it; then
# tries what needs no VTK without it. On Linux, macOS and Windows (with Git's bash).
set -euo pipefail
wheel=$(realpath "$1")
project=$(realpath "$(dirname "$0")/..")
requirements=$project/requirements/run.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
if [ -n "${VIRTUAL_ENV:-}" ]; then python=$VIRTUAL_ENV/bin/python3; else python=$(command -v python3 || command -v python); fi
"$python" -m venv fresh
if [ -d fresh/Scripts ]; then bin=fresh/Scripts packages=fresh/Lib/site-packages; else bin=fresh/bin packages=fresh/lib/python3*/site-packages; fi
pip="$bin/python -m pip --quiet --disable-pip-version-check"
$pip install --require-hashes --requirement "$requirements"
$pip install --no-deps "$wheel"
for part in licenses/THIRD_PARTY_NOTICES.txt sboms/mitk_rs.cyclonedx.json; do
    test -s $packages/mitk_rs-*.dist-info/"$part"
done
$bin/mitk-rs --version
mkdir empty
(cd empty && "../$bin/python" "$project/tools/run_page.py" "$project/README.md")
$pip uninstall --yes vtk matplotlib
$bin/mitk-rs doctor
$bin/mitk-rs sample light.mha
$bin/mitk-rs init light.mha -o level.mha --method threshold --lower 200
test -s level.mha
if $bin/mitk-rs surface level.mha -o level.stl 2> error; then exit 1; fi
grep 'need VTK: pip install vtk' error
echo "$(basename "$wheel"): installed in a fresh environment, where every line of the README works, and without VTK what needs none"
