# Short verbs for everything. Each sets up what it needs (own virtual environment, locked packages, release build)
# and is quick the second time: stamps in .make/ remember what is already done.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: demo test lint lint-rust lint-python test-rust test-python bench scaling neon fuzz loom tsan asan miri valgrind \
	sweep soak mutants audit docs wheel lock clean help

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := $(CURDIR)/.venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
export PATH := $(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(VENV)
# One interpreter for every Rust build, so that maturin and cargo share what they compiled.
export PYO3_PYTHON := $(PY)

RUST_SOURCES := $(shell find rust benches -name '*.rs' 2>/dev/null) Cargo.toml Cargo.lock rust-toolchain.toml
PYTHON_SOURCES := $(shell find python -name '*.py' -o -name '*.pyi')

help:
	@echo "make demo    segment a vessel: synthetic CT angiography, or INPUT=scan.mha SOURCE='i j k' TARGET='i j k' LOWER=700"
	@echo "make test    lints, Rust tests with and without the Python feature, Python tests"
	@echo "make lint    rustfmt, clippy, ruff, import-linter, mypy, stubtest"
	@echo "make bench   compare with ITK, SimpleITK, VTK, NumPy, scikit-fmm, eikonalfm   (BENCH='--quick')"
	@echo "make scaling what more cores would do, from counts   (BENCH='--quick')"
	@echo "make neon    the core and its NEON kernels under an emulated 64-bit ARM processor"
	@echo "make loom    the ledger of accessors and the phases of a team of workers in every order of threads"
	@echo "make tsan    data races in the tests of the core; make asan: wrong addresses; make miri: undefined behaviour"
	@echo "make valgrind  every order of dropping images and views under memcheck"
	@echo "make fuzz    a hundred thousand broken files, read in children that may crash   (CASES=1000, JOBS=2)"
	@echo "make sweep   every public function with extreme arguments and with 50 amounts of memory"
	@echo "make soak    the tests of docs/reliability.md with its numbers: a quarter of an hour"
	@echo "make mutants which changes to the code the tests do not notice; hours   (MUTANTS=python, store or marches)"
	@echo "make audit   known vulnerabilities, licences and origin of crates and Python packages; needs the internet"
	@echo "make docs    the documentation site into target/docs: tutorials, guides, gallery, API; every link is checked"
	@echo "make wheel   abi3 wheel (manylinux_2_28) and sdist into dist/, checked, installed and tried in a fresh environment"
	@echo "make lock    resolve the newest Python packages into requirements/"
	@echo "make clean   remove everything that was built"

# --- environment -------------------------------------------------------------------------------------------------

# Debian's python3 comes without ensurepip; then its pip puts a pip into the new environment.
.make/venv:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@mkdir -p .make
	@$(PY) -c 'import pip' 2>/dev/null || "$(PYTHON)" -m venv "$(VENV)" 2>/dev/null \
		|| { "$(PYTHON)" -m venv --clear --without-pip "$(VENV)" \
		&& "$(PYTHON)" -m pip --quiet --python "$(PY)" install pip; }
	@touch $@

.make/run .make/test .make/docs .make/bench .make/audit .make/wheel: .make/%: requirements/%.txt .make/venv
	@echo "installing requirements/$*.txt"
	@$(PIP) --require-hashes --requirement requirements/$*.txt
	@touch $@

.make/build: $(RUST_SOURCES) pyproject.toml .make/run
	PIP_QUIET=1 maturin develop --release --locked --quiet
	@touch $@

# --- verbs -------------------------------------------------------------------------------------------------------

demo: .make/build
	@$(PY) examples/demo.py --output demo $(if $(INPUT),--input "$(INPUT)") $(if $(SOURCE),--source $(SOURCE)) \
		$(if $(TARGET),--target $(TARGET)) $(if $(LOWER),--lower=$(LOWER)) $(if $(UPPER),--upper=$(UPPER))

test: lint test-rust test-python
	@$(PY) tools/skipped.py .make

lint: lint-rust lint-python

lint-rust: .make/venv
	cargo fmt --all --check
	cargo clippy --locked --quiet --all-targets --features python -- -D warnings
	cargo clippy --locked --quiet --all-targets -- -D warnings

lint-python: .make/build .make/test
	ruff check .
	ruff format --check .
	$(PY) tools/english.py
	if command -v vale >/dev/null; then vale README.md CONTRIBUTING.md RELEASE.md SECURITY.md docs python/mitk_rs; fi
	lint-imports --no-cache --no-logo
	$(PY) -m mypy
	$(PY) -m mypy.stubtest --concise --allowlist tools/stubtest_allowed.txt mitk_rs._core

test-rust: .make/venv
	cargo test --locked 2>&1 | tee .make/rust-core.log | grep -v ' \.\.\. ok$$'
	bash tools/rust_python_tests.sh 2>&1 | tee .make/rust-python.log | grep -v ' \.\.\. ok$$'

test-python: .make/build .make/test
	$(PY) -m pytest -n 2 --dist loadfile --junitxml=.make/pytest.xml -q

# Minutes each, so apart from make test.
loom:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test --locked --release --lib interleavings

# The sanitizers of the compiler that rust-toolchain.toml pins; -Z flags of a stable compiler need RUSTC_BOOTSTRAP. A data race
# is only seen where the standard library is instrumented, too, so ThreadSanitizer builds one (rustup component add rust-src).
HOST := $(shell uname -m)-unknown-linux-gnu
SANITIZED = RUSTC_BOOTSTRAP=1 PROPTEST_CASES=16 CARGO_TARGET_DIR=target/$@ cargo test --locked --lib --target $(HOST)

tsan:
	RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" $(SANITIZED) -Zbuild-std

# Sizes that no allocator grants must come back as null; workers that live as long as the process are no leaks.
asan:
	RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0 $(SANITIZED)

# What Miri can run of the core: it interprets, so only the memory and the store of images, with few generated cases. It has no
# memory to refuse (absurd_sizes) and reports all it maps as touched (zeros_cost). Tree borrows, because lists of rayon's
# crossbeam-epoch do not fit the older model of stacked borrows; these lists also live as long as the process.
# rustup +nightly component add miri rust-src
miri:
	MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-tree-borrows -Zmiri-ignore-leaks" PROPTEST_CASES=4 CARGO_TARGET_DIR=target/$@ cargo +nightly miri test \
		--locked --lib -- $(addsuffix ::,image memory voxels components grid pixel) --skip zeros_cost --skip absurd_sizes

valgrind: .make/build
	tests/valgrind/run.sh $(PY)

# Goes on where it was interrupted; delete .make/fuzz to begin again.
CASES ?= 100000
JOBS ?= $(shell nproc)
fuzz: .make/build .make/test
	PYTHONPATH=tests/support $(PY) tests/support/broken_files.py $(CASES) --jobs $(JOBS) --results .make/fuzz

sweep: .make/build .make/test
	MITK_RS_SWEEP=full $(PY) -m pytest tests/reliability/test_extreme_arguments.py -q -s

# The numbers of docs/reliability.md; SOAK=minute does a tenth of them.
soak: .make/build .make/test
	MITK_RS_SOAK=$(or $(SOAK),full) $(PY) -m pytest tests/reliability tests/viewer/test_windows.py tests/cohort/test_cluster.py \
		-k 'reliability or random_moments or cluster' -q -s

# cargo-mutants is a program, not a package: cargo install cargo-mutants --locked
mutants: .make/build .make/test .make/audit
	$(PY) tools/mutants.py $(or $(MUTANTS),python)

# cargo-deny likewise: cargo install cargo-deny --locked
audit: .make/audit
	cargo deny check
	for file in requirements/*.txt; do $(PY) -m pip_audit --strict --disable-pip --requirement $$file; done

bench: .make/build .make/test .make/bench
	$(if $(findstring --quick,$(BENCH)),,cargo bench --locked --bench core)
	$(PY) benches/peers.py $(BENCH)
	$(PY) benches/callers.py $(BENCH)
	$(PY) benches/service.py $(BENCH)
	for name in $$($(PY) benches/table.py); do $(PY) benches/mip.py --instructions $$name $(BENCH); done
	$(PY) benches/store.py $(BENCH)
	$(PY) benches/evolution.py $(BENCH)

# What more cores would do: exact counts of marches, and the table of docs/performance.md.
scaling: .make/venv
	cargo bench --locked --features count --bench scaling $(if $(BENCH),-- $(BENCH))

# The core on 64-bit ARM, emulated, so that its NEON kernels give the bits of the others.
ARM := aarch64-unknown-linux-gnu
neon: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER = aarch64-linux-gnu-gcc
neon: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER = qemu-aarch64 -L /usr/aarch64-linux-gnu
neon: export RUSTFLAGS = -D warnings
neon:
	@test -d "$$(rustc --print target-libdir --target $(ARM))" || { echo "make neon: rustup target add $(ARM)" >&2; exit 1; }
	@for tool in aarch64-linux-gnu-gcc qemu-aarch64; do command -v $$tool > /dev/null || { echo "make neon: $$tool is \
missing; on Debian: apt-get install gcc-aarch64-linux-gnu qemu-user" >&2; exit 1; }; done
	cargo test --locked --lib --target $(ARM) $(NEON)

docs: .make/build .make/docs
	$(PY) tools/docs.py target/docs

# On Linux zig links against the symbols of glibc 2.28, so that the wheel works where that or a newer one is.
MANYLINUX := $(if $(filter Linux,$(shell uname -s)),--zig --compatibility manylinux_2_28)

wheel: .make/run .make/wheel
	@rm -rf dist
	maturin build --release --locked --quiet $(MANYLINUX) --out dist
	maturin sdist --out dist
	abi3audit --strict dist/*.whl
	twine check --strict dist/*
	bash tools/try_wheel.sh dist/*.whl

lock: .make/audit
	$(PY) tools/lock.py

clean:
	rm -rf target dist demo .make .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find python -name '*.so' -delete
