package offline

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/internal/schematest"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the files that the tests compare with")

const lockSchemaFile = "../docs/schema/lock.json"

//go:generate go test . -run TestLockSchemaIsCurrent -update

// The schema that the docs ship is the one of the types.
func TestLockSchemaIsCurrent(t *testing.T) {
	got, err := lock.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(lockSchemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(lockSchemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go test ./offline -run TestLockSchemaIsCurrent -update (-file +types)\n%s", diff)
	}
}

// Real locks are as the schema says, and every kind of damage to one is not.
func TestLocksAreAsTheSchemaSays(t *testing.T) {
	r := newRepo(t, 2)
	schemas := schematest.New()
	for _, l := range realLocks(r) {
		var lock any
		if err := json.Unmarshal(l.text, &lock); err != nil {
			t.Fatal(err)
		}
		if wrong := schemas.Violations(lockSchemaFile, lock); len(wrong) > 0 {
			t.Errorf("%s: %s", l.lock.Name, strings.Join(wrong, "\n"))
		}
		for _, damage := range []struct {
			name string
			do   func(map[string]any)
		}{
			{"unknown member", func(m map[string]any) { m["more"] = 1 }},
			{"missing member", func(m map[string]any) { delete(m, "output") }},
			{"wrong type", func(m map[string]any) { m["name"] = 1.0 }},
			{"another format", func(m map[string]any) { m["format"] = 4.0 }},
			{"no digest", func(m map[string]any) { m["output"].(map[string]any)["sha256"] = "abc" }},
			{"unknown type", func(m map[string]any) { m["features"].([]any)[0].(map[string]any)["type"] = "decimal" }},
		} {
			var copied map[string]any
			if err := json.Unmarshal(l.text, &copied); err != nil {
				t.Fatal(err)
			}
			damage.do(copied)
			if len(schemas.Violations(lockSchemaFile, copied)) == 0 {
				t.Errorf("%s: the schema lets it pass", damage.name)
			}
		}
	}
}

// Every member of the lock itself is described.
func TestEveryMemberOfALockIsDescribed(t *testing.T) {
	schema, err := schematest.New().File(lockSchemaFile)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, o map[string]any) {
		for key, p := range o["properties"].(map[string]any) {
			if d, _ := p.(map[string]any)["description"].(string); d == "" {
				t.Errorf("%s.%s has no description", name, key)
			}
		}
	}
	check("lock", schema)
	for name, o := range schema["$defs"].(map[string]any) {
		if strings.HasPrefix(name, "Lock") || name == "Statistics" || name == "Bin" {
			check(name, o.(map[string]any))
		}
	}
}

// realLocks makes training sets of every kind.
func realLocks(r *repo) []*made {
	r.Helper()
	req := ties(r)
	req.Name, req.Registry = "ties", lock.Registry{Project: "shop", Revision: 3, Commit: 2, GitRevision: "abc", Dirty: true}
	src := source_("s/*.parquet")
	global := query("SELECT event, max(a) AS top FROM s GROUP BY ALL", nil, []string{"top int64"}, src)
	global.Ref.Name, global.View.Name = "g", "g"
	global.View.Features[0].Default = value(global.View.Features[0].Type, int64(7))
	global.View.TTL = ttl(3600e9)
	bySQL := r.request("", all(global))
	bySQL.Name, bySQL.Labels = "by_query", Labels{SQL: "SELECT k, event AS t FROM s WHERE k < 5 ORDER BY t", Sources: global.Sources}
	bySQL.List.Service.Name, bySQL.List.Service.Version = "churn", 2
	byRequest := trips(r)
	for _, v := range slices.Concat(req.List.Uses, bySQL.List.Uses, byRequest.List.Uses) {
		v.Version.Fingerprint = strings.Repeat("0123456789abcdef", 4)
	}
	for _, v := range byRequest.List.OnDemand {
		v.Fingerprint = strings.Repeat("0123456789abcdef", 4)
	}
	return []*made{r.make(req), r.make(bySQL), r.make(byRequest)}
}

// The seeds of FuzzLock are real locks, of a repo elsewhere. -update writes them anew.
func TestSeedsAreLocks(t *testing.T) {
	r := newRepo(t, 2)
	if *update {
		for _, m := range realLocks(r) {
			l := &lock.Lock{}
			if err := json.Unmarshal(bytes.ReplaceAll(m.text, []byte(r.dir), []byte("/repo")), l); err != nil {
				t.Fatal(err)
			}
			text, err := lock.Encode(l)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("testdata/lock/"+l.Name+lock.Suffix, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	seeds, err := filepath.Glob("testdata/lock/*" + lock.Suffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range seeds {
		text, err := os.ReadFile(seed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Read(text); err != nil {
			t.Errorf("%s: %v", seed, err)
		}
	}
	if len(seeds) != 3 {
		t.Errorf("%d seeds", len(seeds))
	}
}

// FuzzLock reads what may be a lock: it never panics, and what it takes for one says the same when written again.
func FuzzLock(f *testing.F) {
	seeds, err := os.ReadDir("testdata/lock")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range seeds {
		text, err := os.ReadFile("testdata/lock/" + s.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, false)
		f.Add(text, true)
		f.Add(bytes.ReplaceAll(text, []byte(`"use": 0`), []byte(`"use": 7`)), true)
		f.Add(bytes.ReplaceAll(text, []byte(`"int64"`), []byte(`""`)), true)
		f.Add(bytes.Replace(text, []byte(`"views": [`), []byte(`"views": [null, `), 1), true)
		f.Add(text[:len(text)/2], false)
	}
	f.Add([]byte(`{"format": 99}`), false)
	f.Add([]byte(`null`), false)
	f.Fuzz(func(t *testing.T, text []byte, sealed bool) {
		if sealed { // as a program would that does not know the rules
			l := &lock.Lock{}
			if json.Unmarshal(text, l) != nil {
				return
			}
			if again, err := lock.Encode(l); err == nil {
				text = again
			}
		}
		l, err := lock.Read(text)
		if err != nil {
			return
		}
		again, err := lock.Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		m, err := lock.Read(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l, m); diff != "" {
			t.Error(diff)
		}
		// what is made of it can be asked for anything
		l.List().KeyColumns()
		for i := range l.Features {
			l.List().Feature(i)
		}
		lock.Compare(l, m)
	})
}

// What is no lock, or not any more, is refused with what is wrong.
func TestMistakesInLocksAreNamed(t *testing.T) {
	r := newRepo(t, 2)
	text := string(realLocks(r)[0].text)
	for _, c := range []struct{ name, old, new, want string }{
		{"empty", text, "", "it is not a lock"},
		{"not JSON", text, "PAR1", "it is not a lock: line 1"},
		{"something else", text, `{"a": 1}`, "it has no format"},
		{"a list", text, `[]`, "it is not a lock"},
		{"newer", `"format": 3`, `"format": 4`, "the lock has format 4, and this fstore knows formats up to 3"},
		{"older", `"format": 3`, `"format": 1`, "the lock has format 1, which a development build"},
		{"unknown member", `"name": "ties"`, `"name": "ties", "owner": "me"`, `unknown field "owner"`},
		{"unknown member within", `"project": "shop"`, `"project": "shop", "host": "x"`, `unknown field "host"`},
		{"wrong type", `"revision": 3`, `"revision": "3"`, "line "},
		{"edited name", `"name": "ties"`, `"name": "tied"`, "was changed after it was written"},
		{"edited SQL", "count(*)", "sum(a)", "was changed after it was written"},
		{"edited path", "a.parquet", "b.parquet", "was changed after it was written"},
		{"edited cut-off", `"as_of": "2012`, `"as_of": "2013`, "was changed after it was written"},
		{"something behind it", "\n}\n", "\n}\n{}", "after top-level value"},
		{"cut off", "\n}\n", "", "it is not a lock: line"},
	} {
		damaged := strings.Replace(text, c.old, c.new, 1)
		if damaged == text {
			t.Fatalf("%s changes nothing", c.name)
		}
		l, err := lock.Read([]byte(damaged))
		if l != nil {
			t.Errorf("%s: it is read", c.name)
		}
		r.fails(err, c.want)
	}
	var layout bytes.Buffer
	if err := json.Compact(&layout, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Read(layout.Bytes()); err != nil {
		t.Errorf("another layout is the same lock: %v", err)
	}
}
