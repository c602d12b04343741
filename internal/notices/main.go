// Command notices prints the licence of every module and library that fstore links, for the archives of a release. With -sbom it
// writes what fstore contains as CycloneDX instead. It fails if we may not ship a module under its licence.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run() error {
	var b builder
	var r release
	flag.StringVar(&b.zig, "zig", "", "the folder of the `zig` that release/go builds with; without it, the libraries are the system's")
	flag.StringVar(&b.gcc, "gcc", "", "the version of the GCC whose libstdc++ is linked")
	flag.StringVar(&b.glibc, "glibc", "", "the oldest glibc that the build runs with")
	bill := flag.String("sbom", "", "write an SBOM to this `file`, in CycloneDX")
	flag.StringVar(&r.archive, "archive", "", "the `file` that the SBOM is of")
	flag.StringVar(&r.version, "version", "", "the version of the release")
	flag.StringVar(&r.time, "time", "", "when its commit was made, in RFC 3339")
	sources := flag.String("collect", "", "copy the licences of what DuckDB contains from its sources in this `folder`, and end")
	collected := flag.String("collected", "", "the `version` of these sources")
	flag.Parse()
	if *sources != "" {
		return collect(*sources, *collected, filepath.Join("internal", "notices", duckdbFolder))
	}

	own, modules, err := linked("github.com/fstore-dev/fstore/cmd/fstore")
	if err != nil {
		return err
	}
	engine, err := duckdb(modules)
	if err == nil {
		err = checkTexts(engine)
	}
	if err != nil {
		return err
	}
	libraries, err := b.statics()
	if err != nil {
		return err
	}
	if *bill == "" {
		return errors.Join(write(os.Stdout, modules, engine, libraries), check(modules))
	}
	doc, err := sbom(r, own, modules, append([]static{engine}, libraries...))
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(*bill, doc, 0o644), check(modules))
}

func write(w io.Writer, modules []module, engine static, libraries []static) error {
	_, err := fmt.Fprintf(w, `fstore links Go's standard library (std) and the modules below. DuckDB %s itself contains the
following libraries, whose licences come last.

`, engine.version)
	for _, part := range engine.parts {
		_, failed := fmt.Fprintf(w, "- %s: %s\n", part.name, part.licence)
		err = errors.Join(err, failed)
	}
	section := func(title, text string) {
		_, failed := fmt.Fprintf(w, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), title, strings.TrimSpace(text))
		err = errors.Join(err, failed)
	}
	for _, m := range modules {
		for _, name := range slices.Sorted(maps.Keys(m.texts)) {
			section(fmt.Sprintf("%s %s: %s", m.path, m.version, name), m.texts[name])
		}
	}
	for _, l := range append(slices.Clip(libraries), engine.parts...) {
		text, failed := l.texts()
		err = errors.Join(err, failed)
		section(l.name, text)
	}
	return err
}
