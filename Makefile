# Two commands do all the set-up: `make demo` installs and runs the main job, `make test` installs and tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test slow check speed speed-once speed-cuda clean

demo: $(VENV)/.installed
	$(BIN)/kdrun distill tau=4 alpha=0.7 'seeds=[0,1,2,3,4]'

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2

slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow -n 2

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What experiments/speed.md is filled from: one JSON object a line, on one thread and on two. CIFAR-10 is read from KDRUN_DATA.
SPEED := experiments/speed.jsonl
BENCH := $(BIN)/kdrun bench
CIFAR ?= dataset=cifar10 train=cifar

speed: $(VENV)/.installed
	$(BIN)/python -m pip install -q -e '.[bench]'
	OMP_NUM_THREADS=1 $(MAKE) speed-once
	OMP_NUM_THREADS=2 $(MAKE) speed-once

speed-once:
	$(BENCH) teacher=mlp1200 student=mlp30 train.student.batch_size=128 --json >> $(SPEED)
	$(BENCH) teacher=mlp1200 student=mlp30 train.student.batch_size=128 cache=off --json >> $(SPEED)
	for pair in 'teacher=resnet56 student=resnet20' 'teacher=resnet32x4 student=resnet8x4'; do \
	  for how in 'precision=fp32 cache=off' 'precision=auto cache=off' 'precision=auto cache=schedule train_size=64'; do \
	    $(BENCH) $(CIFAR) $$pair $$how --seconds 4 --json >> $(SPEED) || exit 1; done; done
	$(BENCH) sweep --k 8 $(CIFAR) teacher=resnet56 student=resnet20 cache=off --seconds 2 --json >> $(SPEED)
	$(BENCH) sweep --k 8 teacher=conv_m student=conv_s cache=off --json >> $(SPEED)
	$(BENCH) sweep --k 8 teacher=mlp1200 student=mlp30 train.student.batch_size=128 --json >> $(SPEED)
	$(BENCH) scaling --rounds 3 --json >> $(SPEED)
	$(BENCH) startup --json >> $(SPEED)

speed-cuda: $(VENV)/.installed
	$(BIN)/python -m pip install -q -e '.[bench]'
	for pair in 'teacher=resnet56 student=resnet20' 'teacher=resnet32x4 student=resnet8x4'; do \
	  for size in 64 512; do \
	    for how in '' 'compile=true' 'compile=true cuda_graphs=true'; do \
	      $(BENCH) $(CIFAR) $$pair device=cuda precision=auto cache=off train.student.batch_size=$$size $$how \
	        --json >> $(SPEED) || exit 1; done; done; done

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist
