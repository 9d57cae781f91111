PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
STAMP := $(VENV)/.installed
GGUF := $(VENV)/.gguf
UNSLOTH := .venv-unsloth
UNSLOTH_LOCK := requirements-unsloth.lock

.PHONY: setup gguf unsloth demo test test-long ui bench lint lock lock-unsloth clean

setup: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else f"Python {v[0]}.{v[1]} found; Trivium needs 3.10 to 3.13: make PYTHON=python3.12 setup")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

# llama.cpp's bindings are compiled here, some minutes, without what only its own server and vision models need.
gguf: $(GGUF)

$(GGUF): $(STAMP)
	CMAKE_ARGS="-DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF -DLLAMA_CURL=OFF" \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(LOCK) -e '.[gguf]'
	$(BIN)/python -c "from pathlib import Path; from trivium.export.llama import source; source.find(Path('data/cache'))"
	@touch $(GGUF)

# An environment of its own, with older libraries than this project's. PyTorch comes first, with the CUDA packages that its
# build asks for; all else is installed as it is locked, for Unsloth also asks for what it does not need here.
unsloth: $(UNSLOTH)/.installed

$(UNSLOTH)/.installed: $(UNSLOTH_LOCK) | $(STAMP)
	@test -x $(UNSLOTH)/bin/python || $(BIN)/python -m venv $(UNSLOTH)
	$(UNSLOTH)/bin/python -m pip install --quiet --disable-pip-version-check -c $(UNSLOTH_LOCK) torch
	$(UNSLOTH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-warn-conflicts -r $(UNSLOTH_LOCK)
	@touch $@

demo: setup
	$(BIN)/trivium

test: setup gguf
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile --no-loadscope-reorder

# Minutes each, one after the other: the shipped experiments at full size, sweeps and trainings under twenty kills.
test-long: setup gguf
	$(BIN)/python -m pytest -m long

ui: setup
	$(BIN)/mlflow server --backend-store-uri sqlite:///outputs/mlflow.db --artifacts-destination outputs/mlartifacts --host 127.0.0.1 --port 5000

bench: setup
	$(BIN)/python -m benchmarks

lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# CUDA packages are left to torch's own pins: a CPU build needs none of them.
lock: setup
	echo torch==2.13.0 > $(VENV)/constraints.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --no-header --no-annotate \
		--prerelease if-necessary-or-explicit -c $(VENV)/constraints.txt -o $(VENV)/resolved.txt
	grep -Ev '^(nvidia-|cuda-|triton)' $(VENV)/resolved.txt > $(LOCK)

# Left out: torchvision and xformers, which have to match a build of PyTorch and are not needed for text.
lock-unsloth: setup
	printf '%s\n' unsloth==2026.10.9 unsloth_zoo==2026.10.9 torch==2.13.0 peft==0.21.2 accelerate==1.15.0 \
		ahocorasick-rs filelock orjson sentence-transformers 'spacy>=3.8.7,<3.9' > $(VENV)/unsloth.in
	echo 'certifi>=2025' > $(VENV)/overrides.txt
	$(BIN)/uv pip compile $(VENV)/unsloth.in --universal --python-version 3.10 --no-header --no-annotate \
		--override $(VENV)/overrides.txt -o $(VENV)/resolved.txt
	grep -Ev "^(nvidia-|cuda-|triton|torchvision|xformers)|'arm64' and sys_platform == 'darwin'" $(VENV)/resolved.txt > $(UNSLOTH_LOCK)

clean:
	rm -rf $(VENV) $(UNSLOTH) data/cache outputs/* multirun/*
