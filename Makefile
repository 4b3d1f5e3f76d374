VENV = $(shell ./install.sh --print-venv)
.PHONY: set-up test lint format docs bench chaos bare apps
set-up: ; ./install.sh --test --version
test: ; ./install.sh --test
lint: ; PATH="$(VENV)/bin:$$PATH" && ruff check . && ruff format --check . && mypy && lint-imports && shellcheck install.sh uninstall.sh .ci/run tests/bare/in_root/* findings/*.sh && oxlint --deny-warnings allscreenshots_box && cog --check docs/*.md
format: ; $(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .
docs: ; $(VENV)/bin/cog -r docs/*.md
chaos: ; CHAOS_ROUNDS=30 ./install.sh --test -m chaos -s
bench: ; $(VENV)/bin/python -m benchmarks.run
bare: ; python3 -m tests.bare
apps: ; $(VENV)/bin/python -m tests.apps --sheet apps.png --json apps.json
