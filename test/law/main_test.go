package law

import (
	"flag"
	"os"
	"testing"
)

// checks is how many generated cases and stories a plain go test plays. Each is a repo with many runs on three
// backends; -rapid.checks=1000 plays more.
const checks = "8"

// askedForMore reports whether -rapid.checks is given.
var askedForMore bool

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { askedForMore = askedForMore || f.Name == "rapid.checks" })
	if !askedForMore {
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	status := m.Run()
	if programDir != "" {
		os.RemoveAll(programDir)
	}
	os.Exit(status)
}
