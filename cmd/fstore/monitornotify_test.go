package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A round of monitor tells of drift once, and once when it is over; what its checks and freshness find is told as by their commands.
func TestMonitorNotifiesOnce(t *testing.T) {
	t.Setenv("CLOCK", "2025-12-01T00:30:00Z")
	sh, in := newNotified(t)
	one := &strings.Builder{} // a model that was trained on one customer alone has drifted from all others
	fmt.Fprintln(one, "customer_id,event_timestamp")
	for i := range 300 {
		fmt.Fprintf(one, "12003,%s\n", time.Date(2025, 11, 1, i, 0, 0, 0, time.UTC).Format(time.RFC3339))
	}
	if err := os.WriteFile(filepath.Join(sh.dir, "one.csv"), []byte(one.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	sh.run("fstore materialize --to 2025-12-01")
	sh.run("fstore training-set create narrow --features 'customer_orders.*' --labels one.csv --out narrow.parquet")
	sh.run("fstore training-set create wide --features 'customer_orders.*' --labels data/labels.parquet --out wide.parquet")
	sh.run("fstore model pin fraud 1 --training-set narrow && fstore model pin fraud 2 --training-set wide")
	in.take()
	sh.run("fstore monitor >out.txt; test $? = 4")
	got := in.take()
	if len(got) != 1 || !strings.HasPrefix(got[0], "json ") || !strings.Contains(got[0], "fraud@1: 2 of 2 features drifted") {
		t.Errorf("got %q", got)
	}
	sh.run("fstore monitor >out.txt; test $? = 4")
	if got := in.take(); len(got) > 0 {
		t.Errorf("told again: %q", got)
	}
	sh.run("fstore model unpin fraud 1 && fstore monitor")
	got = in.take()
	if len(got) != 1 || !strings.Contains(got[0], "fraud@1") || !strings.Contains(got[0], "resolved") {
		t.Errorf("got %q", got)
	}

	// Late views and checks that fail are told by the same name as by freshness and check.
	t.Setenv("CLOCK", "2025-12-03T00:30:00Z")
	sh.run("fstore monitor >out.txt; test $? = 4")
	if got := in.take(); !slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, "shop@1 is late") }) {
		t.Errorf("got %q", got)
	}
	sh.run("fstore freshness >out.txt; test $? = 4")
	if got := in.take(); len(got) > 0 {
		t.Errorf("told again: %q", got)
	}
}
