package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/sqlite"
)

// testdata/upgrade is a repo as an fstore left it that knew no checksums: published at 2025-03-10T02:00:00Z, and in
// interrupted killed on its way to 2025-03-12T02:00:00Z.

// upgraded copies that repo with one of its stores to a folder of the test's own.
func upgraded(t *testing.T, store string) (dir string, fstore func(status int, args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	for _, from := range []string{"testdata/upgrade", "testdata/upgrade/" + store} {
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func(status int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if got := run(append(args, "--repo", dir), strings.NewReader(""), &out, &out); got != status {
			t.Fatalf("fstore %s: exit status %d, want %d:\n%s", strings.Join(args, " "), got, status, out.String())
		}
		return out.String()
	}
}

func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

// stored returns what the SQLite store in a folder holds under keys with a prefix.
func stored(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	b, err := sqlite.Open(filepath.Join(dir, "online.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	out := map[string]string{}
	if err := b.Scan(context.Background(), []byte(prefix), func(k []byte) error {
		out[string(k)] = ""
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for k := range out {
		values, _, err := b.Get(context.Background(), online.Read{Keys: [][]byte{[]byte(k)}})
		if err != nil {
			t.Fatal(err)
		}
		out[k] = string(values[0])
	}
	return out
}

func TestAStoreWithoutChecksumsServesUntilTheNextRunRebuildsIt(t *testing.T) {
	for _, store := range []string{"published", "interrupted"} {
		t.Run(store, func(t *testing.T) {
			dir, fstore := upgraded(t, store)
			get := []string{"get", "--service", "churn", "--entity", "customer_id=3", "--at"}
			has(t, fstore(0, append(get, "2025-03-10T03:00:00Z")...), "64.5", "n43")
			has(t, fstore(1, append(get, "2025-03-10T02:59:59Z")...), "2025-03-10T03:00:00Z")
			if store == "published" { // an unfinished run's instant counts as seen
				has(t, fstore(0, "verify"), "40")
				has(t, fstore(0, "materialize", "--to", "2025-03-10T12:00:00Z"), "layout 0", "40")
			} else {
				has(t, fstore(1, "materialize", "--to", "2025-03-11T12:00:00Z"), "--rewind")
				has(t, fstore(0, "materialize", "--to", "2025-03-12T12:00:00Z"), "layout 0", "40")
			}
			has(t, fstore(0, append(get, "2025-03-12T12:00:00Z")...), "PRESENT")
			has(t, fstore(0, "verify"), "40")
			if n := len(stored(t, dir, "f{")); n != 40 {
				t.Errorf("%d records, want 40: the old generation is left over", n)
			}
			for key, value := range stored(t, dir, "fstore:shop:") {
				if !strings.HasPrefix(key, "fstore:shop:f:") && !strings.Contains(value, `"crc"`) { // a fence's is binary
					t.Errorf("%s has no checksum: %s", key, value)
				}
			}
		})
	}
}

// The definitions of an older build are the same versions in this one.
func TestARegistryOfAnOlderBuildHasNothingToApply(t *testing.T) {
	_, fstore := upgraded(t, "published")
	has(t, fstore(0, "plan"), "No changes")
}

func TestADamagedRecordIsAnErrorAndVerifyCountsIt(t *testing.T) {
	dir, fstore := upgraded(t, "published")
	fstore(0, "materialize", "--to", "2025-03-10T12:00:00Z")
	b, err := sqlite.Open(filepath.Join(dir, "online.db"))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range stored(t, dir, "f{") {
		spoilt := []byte(value)
		spoilt[len(spoilt)/2] ^= 4
		if err := b.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: []byte(key), Value: spoilt}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	has(t, fstore(1, "get", "--service", "churn", "--entity", "customer_id=3", "--at", "2025-03-10T12:00:00Z"),
		"wrong checksum", "fstore materialize --full customer_orders@1")
	has(t, fstore(4, "verify", "--output", "json"), `"undecodable": 40`)
	fstore(0, "materialize", "--full", "--to", "2025-03-10T12:00:00Z")
	has(t, fstore(0, "get", "--service", "churn", "--entity", "customer_id=3", "--at", "2025-03-10T12:00:00Z"), "64.5")
}
