"""Install a torch that exists for CUDA alone on a machine without a GPU, in half a gigabyte instead of five.

    .venv-oldest/bin/python tests/torch_without_cuda.py 2.11.0

``make oldest`` calls it, for the oldest torch that pyproject.toml allows. The wheel is unpacked without its CUDA
libraries. In their place stand libraries whose functions return 0: CUDA is there and has no device, and whatever runs
on a CPU is torch's own code. Needs gcc and binutils.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

LEFT_OUT = re.compile(r"torch/(lib/libtorch_(cuda|nvshmem)|bin/(ptxas|protoc)|include/|test/)")
CUDA = "libtorch_cuda.so"  # the largest of the libraries, in whose place stands every function without a version
OF_THE_SYSTEM = re.compile(r"(Py|_Py)|.*@+(GLIBC|GLIBCXX|CXXABI|GCC|GOMP|OMP)_")
REFERENCES = re.compile("get_gil_checker|getIntraNodeCommUsageCounter|getTuningContext")  # wanted when torch is loaded


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def unpack(version: str, site: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*pip, f"torch=={version}"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as inside:
            inside.extractall(site, [name for name in inside.namelist() if not LEFT_OUT.match(name)])


def of_the_system(library: str) -> Path | None:
    found = Path(output("gcc", f"-print-file-name={library}").strip())
    return found if found.is_absolute() else None


def symbols(library: Path, which: str) -> set[str]:
    """Names, with their versions; of those wanted not the weak ones."""
    lines = (line.split() for line in output("nm", "-D", f"--{which}-only", library).splitlines())
    return {line[-1] for line in lines if which == "defined" or line[-2] == "U"}


def needed(library: Path) -> set[str]:
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", library)))


def stub(library: Path, names: set[str]) -> None:
    """A shared library that defines the names, all of the version that is called as the library."""
    code, data = [".text"], [".data", ".balign 16", "room: .zero 4096"]
    for k, name in enumerate(sorted(names)):
        if name.startswith("_ZTI"):  # what C++ knows of a type: asked for when torch is loaded
            value = f'.quad _ZTVN10__cxxabiv117__class_type_infoE+16, name{k}\nname{k}: .asciz "{name[4:]}"'
            data += [f".globl {name}", f".type {name},@object", ".balign 16", f"{name}: {value}"]
        elif name.startswith("_ZTV"):
            data += [f".globl {name}", f".type {name},@object", ".balign 16", f"{name}: .zero 1024"]
        else:
            value = "lea room(%rip),%rax" if REFERENCES.search(name) else "xor %eax,%eax"
            code += [f".globl {name}", f".type {name},@function", f"{name}: {value}", "ret"]
    with tempfile.TemporaryDirectory() as folder:
        source, versions = Path(folder, "stub.s"), Path(folder, "versions")
        source.write_text("\n".join([*code, *data, '.section .note.GNU-stack,"",@progbits', ""]))
        versions.write_text(f"{library.name} {{ global: *; }};\n")
        how = [] if library.name == CUDA else [f"-Wl,--version-script={versions}"]
        output("gcc", "-shared", "-o", library, source, f"-Wl,-soname,{library.name}", *how, "-lstdc++")


def replace_cuda(folder: Path) -> None:
    """Put a library in the place of each that torch's own want and that is not there."""
    own = sorted(folder.glob("*.so*"))
    wanted: dict[str, set[str]] = defaultdict(set)
    libraries = set[str]().union(*(needed(library) for library in own)) - {library.name for library in own}
    system = [found for found in map(of_the_system, libraries) if found]
    there = {name.split("@")[0] for library in [*own, *system] for name in symbols(library, "defined")}
    for symbol in set[str]().union(*(symbols(library, "undefined") for library in own)):
        name, _, version = symbol.partition("@")
        if name not in there and not OF_THE_SYSTEM.match(symbol):
            wanted[version.lstrip("@") or CUDA].add(name)
    for library in libraries - {found.name for found in system}:
        stub(folder / library, wanted[library])


if __name__ == "__main__":
    here = Path(sysconfig.get_path("purelib"))
    unpack(sys.argv[1], here)
    if (here / "torch/lib/libc10_cuda.so").is_file():  # a CPU build is whole
        replace_cuda(here / "torch/lib")
