#!/usr/bin/env bash
# Runs lifetimes.py under memcheck: any access to memory that was given back fails. First a control shows that such an
# access would be seen. Values that were never set are not looked for: CPython's own start-up reads some.
set -euo pipefail
python=${1:-python3}
here=$(cd "$(dirname "$0")" && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

memcheck() {
    PYTHONMALLOC=malloc OPENBLAS_NUM_THREADS=1 valgrind --tool=memcheck --undef-value-errors=no --leak-check=no \
        --suppressions="$here/loader.supp" --error-exitcode=99 --log-file="$log" "$python" "$@"
}

if memcheck -c 'import ctypes; c = ctypes.CDLL(None); c.malloc.restype = ctypes.c_void_p; p = c.malloc(64)
c.free(ctypes.c_void_p(p)); ctypes.string_at(p, 8)'; then
    echo "valgrind: the control, a read of freed memory, was not noticed" >&2
    exit 1
fi
memcheck "$here/lifetimes.py" || { cat "$log" >&2; exit 1; }
tail -n 1 "$log"
