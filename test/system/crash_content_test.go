package system

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
)

// content is all that an online store holds, by what it means.
type content struct {
	pointers map[string]fstore.Pointer                      // by view@version
	headers  map[string]map[fstore.Generation]fstore.Header // by view@version
	fences   map[string]map[fstore.Generation]fstore.Fence  // by view@version
	records  map[fstore.Generation]map[string]string        // by the key's encoding
	others   []string                                       // keys that mean nothing
}

// contents reads a store of one project. Nothing may write meanwhile.
func contents(t testing.TB, b online.Backend) *content {
	t.Helper()
	c := &content{
		pointers: map[string]fstore.Pointer{}, headers: map[string]map[fstore.Generation]fstore.Header{},
		fences:  map[string]map[fstore.Generation]fstore.Fence{},
		records: map[fstore.Generation]map[string]string{},
	}
	for k, v := range dump(t, b) {
		parts := strings.Split(k, ":")
		switch {
		case strings.HasPrefix(k, "f{") && len(k) >= 14:
			g := fstore.Generation(hex.EncodeToString([]byte(k[6:14])))
			if c.records[g] == nil {
				c.records[g] = map[string]string{}
			}
			c.records[g][k[14:]] = v[:len(v)-4] // the checksum is the generation's own
		case len(parts) == 4 && parts[2] == "p":
			var p fstore.Pointer
			if err := json.Unmarshal([]byte(v), &p); err != nil {
				t.Fatalf("%q: %v", k, err)
			}
			c.pointers[parts[3]] = p
		case len(parts) == 5 && parts[2] == "h":
			var h fstore.Header
			if err := json.Unmarshal([]byte(v), &h); err != nil {
				t.Fatalf("%q: %v", k, err)
			}
			if c.headers[parts[3]] == nil {
				c.headers[parts[3]] = map[fstore.Generation]fstore.Header{}
			}
			c.headers[parts[3]][h.Generation] = h
		case len(parts) == 6 && parts[2] == "f":
			if c.fences[parts[3]] == nil {
				c.fences[parts[3]] = map[fstore.Generation]fstore.Fence{}
			}
			c.fences[parts[3]][fstore.Generation(parts[4])] = fenceAt(t, b, k)
		default:
			c.others = append(c.others, k)
		}
	}
	return c
}

// headers returns the headers of all generations in a store; others may write meanwhile. None can be read while a process
// stands still that holds SQLite's file.
func headers(t testing.TB, b online.Backend) (all []fstore.Header) {
	t.Helper()
	ctx := context.Background()
	var keys [][]byte
	err := b.Scan(ctx, []byte("fstore:shop:h:"), func(k []byte) error { keys = append(keys, bytes.Clone(k)); return nil })
	var values [][]byte
	if err == nil {
		values, _, err = b.Get(ctx, online.Read{Keys: keys})
	}
	if errors.Is(err, fstore.ErrUnavailable) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		var h fstore.Header
		if v == nil {
			continue // it is gone since
		}
		if err := json.Unmarshal(v, &h); err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

// fences returns the fences of all generations in a store, as headers does the headers.
func fences(t testing.TB, b online.Backend) (all []fstore.Fence) {
	t.Helper()
	var keys []string
	err := b.Scan(context.Background(), []byte("fstore:shop:f:"), func(k []byte) error { keys = append(keys, string(k)); return nil })
	if err != nil && !errors.Is(err, fstore.ErrUnavailable) {
		t.Fatal(err)
	}
	for _, k := range keys {
		if f := fenceAt(t, b, k); f.Run != "" {
			all = append(all, f)
		}
	}
	return all
}

// fenceAt returns the fence under a key, or none if it is gone or cannot be read while a process holds the file.
func fenceAt(t testing.TB, b online.Backend, key string) fstore.Fence {
	t.Helper()
	parts := strings.Split(key, ":")
	ref, err := fstore.ParseRef(parts[3])
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := online.New(b, parts[1]).Fence(context.Background(), ref, fstore.Generation(parts[4]))
	if err != nil && !errors.Is(err, fstore.ErrUnavailable) {
		t.Fatal(err)
	}
	return f
}

// differs says in what a store is another than the one that a clean run made: views, instants, keys, values, and
// whatever is there beside them. Generations and runs have names of their own in each.
func (c *content) differs(clean *content) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	live := map[fstore.Generation]bool{}
	for _, view := range slices.Sorted(maps.Keys(clean.pointers)) {
		want, got := clean.pointers[view], c.pointers[view]
		live[got.Generation] = true
		if !got.Published.Equal(want.Published) || got.Fingerprint != want.Fingerprint {
			say("%s is published as %+v, want %+v", view, got, want)
		}
		h, ok := c.headers[view][got.Generation]
		f := c.fences[view][got.Generation]
		if f.Run != got.Run || !f.Complete || h.Run != got.Run {
			say("%s: its fence is %+v, its pointer %+v", view, f, got)
		}
		if !ok || !h.Complete || !h.Published.Equal(got.Published) || !h.RunAt.Equal(got.Published) || h.Fingerprint != got.Fingerprint {
			say("%s: its header is %+v", view, h)
		}
		for g := range c.headers[view] {
			if g != got.Generation {
				say("%s: a header of generation %s is left over", view, g)
			}
		}
		for g := range c.fences[view] {
			if g != got.Generation {
				say("%s: a fence of generation %s is left over", view, g)
			}
		}
		say2 := differences(c.records[got.Generation], clean.records[want.Generation])
		for _, d := range say2 {
			say("%s: %s", view, d)
		}
	}
	for view := range c.pointers {
		if _, ok := clean.pointers[view]; !ok {
			say("%s has a pointer", view)
		}
	}
	for g, keys := range c.records {
		if !live[g] {
			say("generation %s is left over with %d records", g, len(keys))
		}
	}
	for _, k := range c.others {
		say("there is a key %q", k)
	}
	return out
}

// differences compares records key for key; it names a few of those that differ.
func differences(got, want map[string]string) []string {
	var out []string
	missing, extra, other := 0, 0, 0
	note := func(n *int, what, key string) {
		if *n++; *n <= 2 {
			out = append(out, fmt.Sprintf("%s %x", what, key))
		}
	}
	for k, v := range want {
		switch g, ok := got[k]; {
		case !ok:
			note(&missing, "no record of key", k)
		case g != v:
			note(&other, "another value of key", k)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			note(&extra, "a record of key", k)
		}
	}
	if len(out) > 0 {
		out = append(out, fmt.Sprintf("%d records missing, %d too many, %d others, of %d", missing, extra, other, len(want)))
	}
	return out
}

// leftInState says what the state folder holds beside one manifest for each view that the store has published, and
// what the offline engine left in its folder.
func (r *repo) leftInState(c *content) []string {
	r.t.Helper()
	want, may := map[string]bool{}, map[string]bool{}
	for view, p := range c.pointers {
		run := c.headers[view][p.Generation].Run
		may[filepath.Join("state", "shop", view, "publications.past")] = true
		want[filepath.Join("state", "shop", view, run+".json")] = true
		want[filepath.Join("state", "shop", view, run+".manifest.parquet")] = true
	}
	var out []string
	for _, name := range r.files(".fstore/state", ".fstore/tmp") {
		if !want[name] && !may[name] {
			out = append(out, name+" is left over")
		}
		delete(want, name)
	}
	for name := range want {
		out = append(out, name+" is missing")
	}
	return out
}

// files lists what is in folders of the repo, all the way down, without the .fstore/ that their names begin with;
// empty folders of state are not named, nor are digests.json and causality.json, which remember what was worked out of the
// sources.
func (r *repo) files(folders ...string) []string {
	r.t.Helper()
	var out []string
	for _, folder := range folders {
		_ = filepath.WalkDir(filepath.Join(r.dir, folder), func(path string, e os.DirEntry, err error) error {
			inTmp := folder == ".fstore/tmp" && path != filepath.Join(r.dir, folder)
			if err == nil && (inTmp || !e.IsDir()) && e.Name() != "digests.json" && e.Name() != "causality.json" {
				name, _ := filepath.Rel(filepath.Join(r.dir, ".fstore"), path)
				out = append(out, name)
			}
			return nil // what is removed meanwhile is not there
		})
	}
	return out
}

// summaries reads what materialize --output json printed, by view@version.
func summaries(t testing.TB, out string) map[string]materialize.Summary {
	t.Helper()
	all := map[string]materialize.Summary{}
	for line := range bytes.Lines([]byte(out)) {
		var s materialize.Summary
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all[s.View.String()] = s
	}
	return all
}
