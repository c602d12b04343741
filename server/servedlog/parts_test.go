package servedlog

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/online/answers"
)

// checkParts fails unless Parts returns the rows of these customers, each once, under the names of sealed files of the log, and names
// as many files that have lost rows.
func (w *world) checkParts(t *testing.T, customers string, damaged int64, chosen func(*Info) bool) {
	t.Helper()
	var named int64
	parts, err := Parts(w.options.Path, t.TempDir(), chosen, func(string, error) { named++ })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range parts {
		ids := w.query(t, fmt.Sprintf("SELECT customer_id FROM read_parquet('%s')", p.Path))
		if got = append(got, ids...); int64(len(ids)) != p.Rows {
			t.Errorf("%s has %d rows, not %d", p.Name, len(ids), p.Rows)
		}
		if rel, err := filepath.Rel(w.options.Path, p.Name); err != nil || !filepath.IsLocal(rel) || !strings.HasSuffix(rel, sealedSuffix) {
			t.Errorf("a part is called %s", p.Name)
		}
	}
	if all := strings.Join(got, " "); all != customers || named != damaged {
		t.Errorf("Parts returns customers %q, not %q, and names %d files, not %d", all, customers, named, damaged)
	}
}

// A server goes on writing, and seals its streams, while the files of its log are listed.
func TestPartsOfALogThatIsWritten(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	w.serve(plan, 1, 2)
	w.drain()
	w.checkParts(t, "1 2", 0, everything)
	w.serve(plan, 3)
	w.drain()
	w.checkParts(t, "1 2 3", 0, func(*Info) bool { // it is read when the stream is open already
		w.writer.close()
		w.sweep(t.Context())
		return true
	})
	if w.has(t, sealedSuffix) != 1 || w.has(t, streamSuffix) != 0 {
		t.Fatal(w.names(t))
	}
	w.checkParts(t, "1 2 3", 0, everything)
	w.checkParts(t, "", 0, func(*Info) bool { return false })
}
