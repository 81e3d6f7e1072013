#!/usr/bin/env python
"""Install the collections of requirements.yml out of the "ansible" package on PyPI.

For machines that reach PyPI and not Ansible Galaxy: the wheel of "ansible" bundles the community collections, so
the wanted ones and what they depend on are unpacked from it. Prints each collection with its version.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml


def unpack(wheel: zipfile.ZipFile, wanted: list[str], destination: Path) -> dict[str, str]:
    """Unpack the collections named in wanted, and their dependencies; return name -> version."""
    installed: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        if name in installed:
            continue
        prefix = f"ansible_collections/{name.replace('.', '/')}/"
        info = json.loads(wheel.read(prefix + "MANIFEST.json"))["collection_info"]
        wheel.extractall(destination, [member for member in wheel.namelist() if member.startswith(prefix)])
        installed[name] = info["version"]
        wanted.extend(info["dependencies"])
    return installed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("requirements", type=Path)
    parser.add_argument("destination", type=Path, help="the directory above ansible_collections")
    parser.add_argument("--ansible", default="ansible>=12,<13", help="what to ask pip for")
    arguments = parser.parse_args()

    wanted = [item["name"] for item in yaml.safe_load(arguments.requirements.read_text())["collections"]]
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--dest", scratch, arguments.ansible], check=True)
        (path,) = Path(scratch).glob("ansible-*.whl")
        with zipfile.ZipFile(path) as wheel:
            for name, version in sorted(unpack(wheel, wanted, arguments.destination).items()):
                print(f"{name} {version}")


if __name__ == "__main__":
    main()
