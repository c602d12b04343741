package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/onlinetest"
	"github.com/fstore-dev/fstore/online/sqlite"
)

func open(t testing.TB) online.Backend {
	b, err := sqlite.Open(filepath.Join(t.TempDir(), "dir", "online ?#%.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) { onlinetest.Run(t, open) }
