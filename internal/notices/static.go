package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// static is a library that the program contains and that no scanner of Go modules sees.
type static struct {
	name, version string   // version is empty if nobody says it
	purl          string   // what the library came in; empty: what contains it says so
	licence       string   // an SPDX licence or expression, or another name
	text          string   // of the licence, if no Go module brings it
	files         []string // with the licence's text, in DuckDB's sources (texts.go)
	namespace     string   // of its symbols in DuckDB's libraries; empty: they have none
	parts         []static
}

// duckdbModules are the modules that bring DuckDB's static libraries, one for each platform.
const duckdbModules = "github.com/duckdb/duckdb-go-bindings/lib/"

// duckdbParts says what each of DuckDB's static libraries contains of others' code, with its licence.
var duckdbParts = map[string][]static{
	"duckdb_static": {
		{name: "adbc", licence: "Apache-2.0", namespace: "duckdb_adbc", files: []string{"third_party/parquet/LICENSE"}},
		{name: "alp", licence: "MIT", files: []string{"src/include/duckdb/storage/compression/alp/algorithm/LICENSE"}},
		{name: "concurrentqueue", licence: "BSD-2-Clause", namespace: "duckdb_moodycamel", files: []string{"third_party/concurrentqueue/LICENSE"}},
		{name: "cpp-httplib", licence: "MIT", namespace: "duckdb_httplib", files: []string{"third_party/httplib/LICENSE"}},
		{name: "fast_float", licence: "MIT", namespace: "duckdb_fast_float", files: []string{"third_party/fast_float/LICENSE"}},
		{name: "jaro_winkler", licence: "MIT", namespace: "duckdb_jaro_winkler", files: []string{"third_party/jaro_winkler/LICENSE"}},
		{name: "nanoarrow", licence: "Apache-2.0", namespace: "duckdb_nanoarrow", files: []string{"third_party/parquet/LICENSE"}},
		{name: "pcg", licence: "MIT", files: []string{"third_party/pcg/LICENSE"}},
		{name: "pdqsort", licence: "Zlib", namespace: "duckdb_pdqsort", files: []string{"third_party/pdqsort/LICENSE"}},
		{name: "ska_sort", licence: "BSL-1.0", namespace: "duckdb_ska_sort", files: []string{"third_party/ska_sort/LICENSE", "third_party/concurrentqueue/LICENSE"}},
		{name: "vergesort", licence: "MIT", namespace: "duckdb_vergesort", files: []string{"third_party/vergesort/LICENSE"}},
	},
	"duckdb_generated_extension_loader": nil,
	"autocomplete_extension":            nil,
	"core_functions_extension":          {{name: "tdigest", licence: "Apache-2.0", namespace: "duckdb_tdigest", files: []string{"third_party/tdigest/LICENSE", "third_party/tdigest/NOTICES"}}},
	"json_extension":                    nil,
	"icu_extension":                     {{name: "icu", licence: "Unicode licence of ICU", files: []string{"extension/icu/third_party/icu/LICENSE"}}},
	"parquet_extension": {
		{name: "brotli", licence: "MIT", namespace: "duckdb_brotli", files: []string{"third_party/brotli/LICENSE"}},
		{name: "lz4", licence: "BSD-2-Clause", namespace: "duckdb_lz4", files: []string{"third_party/lz4/LICENSE"}},
		{name: "parquet-format", licence: "Apache-2.0", namespace: "duckdb_parquet", files: []string{"third_party/parquet/LICENSE"}},
		{name: "snappy", licence: "BSD-3-Clause", namespace: "duckdb_snappy", files: []string{"third_party/snappy/LICENSE"}},
		{name: "thrift", licence: "Apache-2.0", namespace: "duckdb_apache", files: []string{"third_party/thrift/thrift/LICENSE"}},
	},
	"tpcds_extension":    nil, // TPC's generators have a licence of their own, but nothing calls them, so the linker leaves them out:
	"tpch_extension":     nil, // a test looks for their symbols
	"duckdb_fastpforlib": {{name: "fastpforlib", licence: "Apache-2.0", namespace: "duckdb_fastpforlib", files: []string{"third_party/fastpforlib/LICENSE"}}},
	"duckdb_fmt":         {{name: "fmt", licence: "MIT", namespace: "duckdb_fmt", files: []string{"third_party/fmt/LICENSE"}}},
	"duckdb_fsst":        {{name: "fsst", licence: "MIT", files: []string{"third_party/fsst/LICENSE"}}},
	"duckdb_hyperloglog": {{name: "hyperloglog", licence: "BSD-3-Clause", namespace: "duckdb_hll", files: []string{"third_party/hyperloglog/LICENSE", "third_party/hyperloglog/hyperloglog.cpp"}}},
	"duckdb_mbedtls":     {{name: "mbedtls", licence: "Apache-2.0", namespace: "duckdb_mbedtls", files: []string{"third_party/mbedtls/LICENSE"}}},
	"duckdb_miniz":       {{name: "miniz", licence: "MIT", namespace: "duckdb_miniz", files: []string{"third_party/miniz/LICENSE"}}},
	"duckdb_pg_query":    {{name: "libpg_query", licence: "BSD-3-Clause", namespace: "duckdb_libpgquery", text: postgresNotice, files: []string{"third_party/libpg_query/LICENSE"}}},
	"duckdb_re2":         {{name: "re2", licence: "BSD-3-Clause", namespace: "duckdb_re2", files: []string{"third_party/re2/LICENSE"}}},
	"duckdb_skiplistlib": {{name: "skiplist", licence: "MIT", namespace: "duckdb_skiplistlib", files: []string{"third_party/skiplist/LICENSE"}}},
	"duckdb_utf8proc":    {{name: "utf8proc", licence: "MIT", files: []string{"third_party/utf8proc/LICENSE"}}},
	"duckdb_yyjson":      {{name: "yyjson", licence: "MIT", namespace: "duckdb_yyjson", files: []string{"third_party/yyjson/LICENSE"}}},
	"duckdb_zstd":        {{name: "zstd", licence: "BSD-3-Clause", namespace: "duckdb_zstd", files: []string{"third_party/zstd/LICENSE"}}},
}

// system are libraries that are no part of DuckDB: toolchain names those that are linked statically.
var system = []string{"stdc++", "c++", "m", "dl"}

// duckdb returns DuckDB, with the libraries in it. The module that brings it is v0.MMNNPP.0, where DuckDB's version is M.N.P.
func duckdb(modules []module) (static, error) {
	i := slices.IndexFunc(modules, func(m module) bool { return strings.HasPrefix(m.path, duckdbModules) })
	if i < 0 {
		return static{}, fmt.Errorf("no module brings DuckDB's libraries: %s… is gone", duckdbModules)
	}
	m := modules[i]
	digits := regexp.MustCompile(`^v0\.(\d+)(\d\d)(\d\d)\.\d+$`).FindStringSubmatch(m.version)
	if digits == nil {
		return static{}, fmt.Errorf("%s %s does not name DuckDB's version as v0.10506.0 does", m.path, m.version)
	}
	var numbers []string
	for _, d := range digits[1:] {
		n, err := strconv.Atoi(d)
		if err != nil {
			return static{}, err
		}
		numbers = append(numbers, strconv.Itoa(n))
	}
	version := strings.Join(numbers, ".")
	engine := static{name: "duckdb", version: version, purl: "pkg:github/duckdb/duckdb@v" + version, licence: "MIT"}
	for _, library := range m.libraries {
		parts, known := duckdbParts[library]
		if !known && !slices.Contains(system, library) {
			return static{}, fmt.Errorf("%s %s links %s: say in duckdbParts what that contains", m.path, m.version, library)
		}
		engine.parts = append(engine.parts, parts...)
	}
	if err := checkNamespaces(m, engine.parts); err != nil {
		return static{}, err
	}
	slices.SortFunc(engine.parts, func(a, b static) int { return cmp.Compare(a.name, b.name) })
	return engine, nil
}

// nested finds names within a namespace of others' code, in the mangled symbols of C++: DuckDB gives each such library a namespace
// duckdb_NAME. The digits are the length of the namespace.
var nested = regexp.MustCompile(`N[KVRO]*(\d+)(duckdb_\w+)`)

// checkNamespaces returns an error if a static library of DuckDB has symbols in a namespace that belongs to no known part: many parts are headers, so
// that no library is named for them.
func checkNamespaces(m module, parts []static) error {
	known := map[string]bool{}
	for _, p := range parts {
		known[p.namespace] = true
	}
	for _, library := range m.libraries {
		if _, ok := duckdbParts[library]; !ok {
			continue
		}
		file := filepath.Join(m.dir, "lib"+library+".a")
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, symbol := range nested.FindAllSubmatch(text, -1) {
			name := string(symbol[2])
			if n, err := strconv.Atoi(string(symbol[1])); err == nil && n <= len(name) && !known[name[:n]] {
				return fmt.Errorf("%s has symbols of %s: say in duckdbParts which library that is", file, name[:n])
			}
		}
	}
	return nil
}

// postgresNotice is of the parser of PostgreSQL in libpg_query, whose licence says that it must be in all copies. DuckDB's sources lack it.
const postgresNotice = `libpg_query has the parser of PostgreSQL:

PostgreSQL Database Management System
(formerly known as Postgres, then as Postgres95)

Portions Copyright (c) 1996-2010, PostgreSQL Global Development Group

Portions Copyright (c) 1994, The Regents of the University of California

Permission to use, copy, modify, and distribute this software and its
documentation for any purpose, without fee, and without a written agreement
is hereby granted, provided that the above copyright notice and this
paragraph and the following two paragraphs appear in all copies.

IN NO EVENT SHALL THE UNIVERSITY OF CALIFORNIA BE LIABLE TO ANY PARTY FOR
DIRECT, INDIRECT, SPECIAL, INCIDENTAL, OR CONSEQUENTIAL DAMAGES, INCLUDING
LOST PROFITS, ARISING OUT OF THE USE OF THIS SOFTWARE AND ITS
DOCUMENTATION, EVEN IF THE UNIVERSITY OF CALIFORNIA HAS BEEN ADVISED OF THE
POSSIBILITY OF SUCH DAMAGE.

THE UNIVERSITY OF CALIFORNIA SPECIFICALLY DISCLAIMS ANY WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY
AND FITNESS FOR A PARTICULAR PURPOSE.  THE SOFTWARE PROVIDED HEREUNDER IS
ON AN "AS IS" BASIS, AND THE UNIVERSITY OF CALIFORNIA HAS NO OBLIGATIONS TO
PROVIDE MAINTENANCE, SUPPORT, UPDATES, ENHANCEMENTS, OR MODIFICATIONS.

`

const gccNotice = `fstore links libstdc++ of the GNU Compiler Collection, Copyright (C) Free Software Foundation, Inc. Its licence is the GNU
General Public License, version 3 or later, with the GCC Runtime Library Exception, version 3.1. The exception permits to
convey a work that is compiled with GCC under terms of your choice. Texts: https://www.gnu.org/licenses/gcc-exception-3.1.html
and https://www.gnu.org/licenses/gpl-3.0.html. Source: https://gcc.gnu.org.`

const glibcNotice = `fstore links the start files of the GNU C Library and its libc_nonshared.a, Copyright (C) Free Software Foundation, Inc. Their
licence is the GNU Lesser General Public License, version 2.1 or later, with unlimited permission to link the compiled
files with other programs, and to distribute those without any restriction that comes from the use of the files. Text:
https://www.gnu.org/licenses/lgpl-2.1.html. Source: https://sourceware.org/glibc. Its file LICENSES says:

`

// builder is what release/go builds with on Linux: zig's folder, and the versions of GCC's libstdc++ and of the oldest glibc.
type builder struct{ zig, gcc, glibc string }

// statics returns what the builder links into the program.
func (b builder) statics() ([]static, error) {
	if b.zig == "" { // the libraries of the system
		return nil, nil
	}
	out, err := exec.Command(filepath.Join(b.zig, "zig"), "version").Output() //nolint:gosec // G204: the builder's own tool
	if err != nil {
		return nil, fmt.Errorf("zig version: %w", err)
	}
	version := strings.TrimSpace(string(out))
	pieces := []static{
		{name: "libstdc++", version: b.gcc, purl: "pkg:generic/gcc@" + b.gcc + "#libstdc++-v3", licence: "GPL-3.0-or-later WITH GCC-exception-3.1", text: gccNotice},
		{name: "libunwind of LLVM", version: version, purl: inZig(version, "libunwind"), licence: "Apache-2.0 WITH LLVM-exception"},
		{name: "compiler-rt of Zig", version: version, purl: inZig(version, "compiler_rt"), licence: "MIT"},
		{name: "start files of glibc", version: b.glibc, purl: inZig(version, "libc/glibc"), licence: "LGPL-2.1-or-later, with unlimited permission to link", text: glibcNotice},
	}
	for i, file := range []string{"", "lib/libunwind/LICENSE.TXT", "LICENSE", "lib/libc/glibc/LICENSES"} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(b.zig, file))
		if err != nil {
			return nil, err
		}
		pieces[i].text += string(text)
	}
	return pieces, nil
}

// inZig returns the purl of a folder in zig's folder lib.
func inZig(version, folder string) string { return "pkg:generic/zig@" + version + "#lib/" + folder }
