package release

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// glibcs are the libraries of glibc: the only ones that the command may need.
var glibcs = []string{"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}

// oldest returns the version of the oldest glibc that the command is to run with.
func oldest(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "release/glibc"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// tooNew returns what a program asks for that glibc of the oldest version does not have: symbols of newer versions, and symbols of
// other libraries, such as GLIBCXX_3.4 and GCC_3.0.
func tooNew(symbols []elf.ImportedSymbol, oldest string) []string {
	var wrong []string
	for _, s := range symbols {
		version, isGlibc := strings.CutPrefix(s.Version, "GLIBC_")
		if s.Version != "" && (!isGlibc || compareVersions(version, oldest) > 0) {
			wrong = append(wrong, fmt.Sprintf("%s@%s of %s", s.Name, s.Version, s.Library))
		}
	}
	return wrong
}

// compareVersions compares versions such as 2.26 and 2.3.4, number by number. A text that is none is newer than all.
func compareVersions(a, b string) int {
	numbers := func(version string) []int {
		var all []int
		for part := range strings.SplitSeq(version, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return []int{1 << 30}
			}
			all = append(all, n)
		}
		return all
	}
	return slices.Compare(numbers(a), numbers(b))
}

func TestSymbolsThatAreTooNewAreNamed(t *testing.T) {
	symbols := []elf.ImportedSymbol{
		{Name: "a", Version: "GLIBC_2.2.5"},
		{Name: "b", Version: "GLIBC_2.26"},
		{Name: "c", Version: "GLIBC_2.26.1"},
		{Name: "d", Version: "GLIBC_2.34"},
		{Name: "e", Version: "GLIBC_3.0"},
		{Name: "f", Version: "GLIBC_PRIVATE"},
		{Name: "g", Version: "GLIBCXX_3.4"},
		{Name: "h", Version: "GCC_3.0"},
		{Name: "i"},
	}
	var got []string
	for _, s := range tooNew(symbols, "2.26") {
		got = append(got, s[:1])
	}
	if want := "c d e f g h"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// tpc are names in TPC's generators of data, which DuckDB's libraries have, and whose licence does not let us ship them like the rest.
var tpc = regexp.MustCompile(`(?i)tpch|tpcds|dbgen|dsdgen`)

// The command needs glibc, of the version that the documentation names, and no other library. It is stripped, but for what it exports:
// duckdb-go-bindings links with -rdynamic there, so all symbols of DuckDB show what is linked.
func TestTheCommandNeedsNothingButAnOldGlibc(t *testing.T) {
	d := built(t)
	if runtime.GOOS != "linux" {
		t.Skip("not on Linux")
	}
	f, err := elf.Open(d.command())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	imported, err := f.ImportedSymbols()
	if err != nil || len(imported) < 100 {
		t.Fatalf("%d imported symbols (%v)", len(imported), err)
	}
	if wrong := tooNew(imported, oldest(t)); len(wrong) > 0 {
		t.Errorf("not in glibc %s: %q", oldest(t), wrong)
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range needed {
		if !slices.Contains(glibcs, library) {
			t.Errorf("the command needs %s", library)
		}
	}
	for _, s := range f.Sections {
		if s.Name == ".symtab" || strings.HasPrefix(s.Name, ".debug") || strings.Contains(s.Name, "build-id") || strings.Contains(s.Name, "buildid") {
			t.Errorf("the command has a section %s", s.Name)
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	isParquet := func(s elf.Symbol) bool { return strings.Contains(s.Name, "ParquetExtension") }
	if !slices.ContainsFunc(symbols, isParquet) {
		t.Error("no symbol of DuckDB's extension for Parquet: symbols no longer show what is linked")
	}
	for _, s := range symbols {
		if tpc.MatchString(s.Name) {
			t.Errorf("the command has %s of TPC", s.Name)
		}
	}
}

// On no platform does the command have DuckDB's extensions for TPC, without which nothing calls the generators. A stripped command still
// has the names of classes with virtual methods, such as N6duckdb13TpchExtensionE, in ELF and in Mach-O.
func TestTheCommandHasNothingOfTPC(t *testing.T) {
	text, err := os.ReadFile(built(t).command())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("N6duckdb16ParquetExtensionE")) {
		t.Error("the extension for Parquet has no name: names no longer show what is linked")
	}
	for _, name := range []string{"N6duckdb13TpchExtensionE", "N6duckdb14TpcdsExtensionE"} {
		if bytes.Contains(text, []byte(name)) {
			t.Errorf("the command has %s", name)
		}
	}
}

// With FSTORE_OLD_ROOT, the root of an older system, the command runs there: it initialises a repo, reads Parquet, publishes and looks up.
func TestTheCommandRunsOnAnOldSystem(t *testing.T) {
	d := built(t)
	old := os.Getenv("FSTORE_OLD_ROOT")
	if old == "" {
		t.Skip("make release-test OLD_ROOT=DIR runs the command in that root, as root")
	}
	text, err := os.ReadFile(d.command())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, "fstore"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	const script = "set -e; rm -rf /shop; /fstore init /shop; cd /shop; /fstore apply --yes; /fstore materialize; /fstore get --service churn --entity customer_id=17850"
	cmd := exec.Command("chroot", old, "sh", "-c", script)
	cmd.Env = []string{"PATH=/bin:/usr/bin", "HOME=/", "TMPDIR=/"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "order") {
		t.Errorf("%v\n%s", err, out)
	}
}
