"""Prints the licences of the libraries that build.sh links statically on Linux, beside the Go modules."""

from pathlib import Path

import ziglang

GCC = """\
fstore links libstdc++ of the GNU Compiler Collection, Copyright (C) Free Software Foundation, Inc. Its licence is the GNU
General Public License, version 3 or later, with the GCC Runtime Library Exception, version 3.1. The exception permits to
convey a work that is compiled with GCC under terms of your choice. Texts: https://www.gnu.org/licenses/gcc-exception-3.1.html
and https://www.gnu.org/licenses/gpl-3.0.html. Source: https://gcc.gnu.org."""

if __name__ == "__main__":
    unwind = Path(ziglang.__file__).parent / "lib" / "libunwind" / "LICENSE.TXT"
    zig = Path(ziglang.__file__).parent / "LICENSE"
    texts = {
        "libstdc++": GCC,
        "libunwind of LLVM": unwind.read_text(),
        "compiler-rt of Zig": zig.read_text(),
    }
    for name, text in texts.items():
        print(f"\n{'=' * 80}\n{name}\n\n{text.strip()}")
