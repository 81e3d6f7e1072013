"""Make the checkout importable under the name it has once installed: ansible_collections.djangoops.pooling."""

import os
import sys
import types
from pathlib import Path

import hypothesis

ROOT = Path(__file__).resolve().parents[2]

for name in ("ansible_collections", "ansible_collections.djangoops"):
    module = types.ModuleType(name)
    module.__path__ = []
    sys.modules.setdefault(name, module)
package = types.ModuleType("ansible_collections.djangoops.pooling")
package.__path__ = [str(ROOT)]
sys.modules.setdefault("ansible_collections.djangoops.pooling", package)

# Property tests: a few hundred examples in every run, many more where HYPOTHESIS_PROFILE=nightly is set.
hypothesis.settings.register_profile("normal", max_examples=300, deadline=None, derandomize=True)
hypothesis.settings.register_profile("nightly", max_examples=10_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "normal"))
