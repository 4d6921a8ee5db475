"""Packs the built functions: target/lambda/<function>/bootstrap, and target/lambda-zip/<function>.zip beside it.

The zip is the same bytes for the same binary. A binary that needs a newer glibc than provided.al2023 has is refused:
it would fail at its first start. So is a zip above the budget: its bytes are read at each first start. So is one that
names a folder of the machine that built it: another would build other bytes. Must never build anything: `make build` does.

Usage: package.py [--budget-mb <MB>] [--without <path>]... <folder of the built binaries> <function>...
"""

import argparse
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

GLIBC_MAX = (2, 34)  # of provided.al2023
OLDEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def glibc_needed(binary):
    """The newest glibc version whose symbols the binary names; None where no objdump can read it."""
    objdump = shutil.which("objdump")
    if objdump is None:
        return None
    read = subprocess.run([objdump, "-T", str(binary)], capture_output=True, text=True, check=False)
    if read.returncode != 0:
        return None
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", read.stdout)
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def replace(target, write):
    """Writes a file beside the target, then gives it its name: it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    write(part)
    part.replace(target)


def write_zip(binary, path):
    entry = zipfile.ZipInfo("bootstrap", OLDEST_ZIP_DATE)
    entry.create_system = 3  # Unix
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", compresslevel=9) as archive:
        archive.writestr(entry, binary.read_bytes())


def refuse_paths(binary, function, paths):
    content = binary.read_bytes()
    for path in paths:
        if path.encode() in content:
            sys.exit(f"Error: {function} names {path}: the same source would be other bytes when built elsewhere")


def pack(built, function, budget_mb, paths):
    binary = built / function
    if binary.is_dir():  # as cargo-lambda lays them
        binary = binary / "bootstrap"
    if not binary.is_file():
        sys.exit(f"Error: {binary} is not there: build it first")
    needed = glibc_needed(binary)
    if needed is not None and needed > GLIBC_MAX:
        sys.exit(
            f"Error: {function} needs glibc {needed[0]}.{needed[1]}, and provided.al2023 has "
            f"{GLIBC_MAX[0]}.{GLIBC_MAX[1]}: build on Debian 12 or older"
        )
    refuse_paths(binary, function, paths)
    bootstrap = pathlib.Path("target/lambda") / function / "bootstrap"
    archive = pathlib.Path("target/lambda-zip") / f"{function}.zip"
    replace(bootstrap, lambda part: shutil.copy2(binary, part))
    bootstrap.chmod(0o755)
    replace(archive, lambda part: write_zip(bootstrap, part))
    size_mb = archive.stat().st_size / 1e6
    if budget_mb is not None and size_mb > budget_mb:
        sys.exit(f"Error: {archive} has {size_mb:.1f} MB, and the budget is {budget_mb:g} MB (docs/performance.md)")
    glibc = "glibc not checked: no objdump reads it" if needed is None else f"glibc {needed[0]}.{needed[1]}"
    budget = "" if budget_mb is None else f" of {budget_mb:g}"
    print(
        f"{bootstrap}  {bootstrap.stat().st_size / 1e6:.1f} MB, zip {size_mb:.1f}{budget} MB, {glibc}, "
        f"sha256 {hashlib.sha256(archive.read_bytes()).hexdigest()[:16]}",
        flush=True,
    )


def main():
    arguments = argparse.ArgumentParser(usage=__doc__.rsplit("Usage: ", maxsplit=1)[1].strip())
    arguments.add_argument("--budget-mb", type=float)
    arguments.add_argument("--without", action="append", default=[])
    arguments.add_argument("built", type=pathlib.Path)
    arguments.add_argument("functions", nargs="+")
    given = arguments.parse_args()
    for function in given.functions:
        pack(given.built, function, given.budget_mb, given.without)


main()
