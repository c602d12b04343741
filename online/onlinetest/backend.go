package onlinetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/google/go-cmp/cmp"
)

var backendTests = []test{
	{"get_answers_in_the_order_asked", func(t *testing.T, b online.Backend) {
		set(t, b, "a", "1", "b", "2", "p", "3")
		records, pointers, err := b.Get(context.Background(), online.Read{Keys: bs("b", "none", "a", "b"), Pointers: bs("p", "none", "a")})
		if err != nil {
			t.Fatal(err)
		}
		same(t, records, [][]byte{[]byte("2"), nil, []byte("1"), []byte("2")})
		same(t, pointers, [][]byte{[]byte("3"), nil, []byte("1")})
	}},
	{"get_of_an_empty_store_is_absent", func(t *testing.T, b online.Backend) {
		records, pointers, err := b.Get(context.Background(), online.Read{Keys: bs("a"), Pointers: bs("p")})
		if err != nil {
			t.Fatal(err)
		}
		same(t, records, [][]byte{nil})
		same(t, pointers, [][]byte{nil})
	}},
	{"get_without_records_or_pointers", func(t *testing.T, b online.Backend) {
		set(t, b, "a", "1")
		for _, c := range []struct{ keys, pointers [][]byte }{{nil, nil}, {bs("a"), nil}, {nil, bs("a")}} {
			records, pointers, err := b.Get(context.Background(), online.Read{Keys: c.keys, Pointers: c.pointers})
			if err != nil || len(records) != len(c.keys) || len(pointers) != len(c.pointers) {
				t.Errorf("%d keys, %d pointers: got %d, %d, %v", len(c.keys), len(c.pointers), len(records), len(pointers), err)
			}
		}
	}},
	{"get_of_many_keys", func(t *testing.T, b online.Backend) {
		var kv []string
		var keys, want [][]byte
		for i := range 3500 {
			k := fmt.Sprint("k", i)
			keys = append(keys, []byte(k))
			if i%3 == 0 {
				want = append(want, nil)
				continue
			}
			kv, want = append(kv, k, fmt.Sprint("v", i)), append(want, fmt.Append(nil, "v", i))
		}
		set(t, b, kv...)
		records, pointers, err := b.Get(context.Background(), online.Read{Keys: keys, Pointers: keys})
		if err != nil {
			t.Fatal(err)
		}
		same(t, records, want)
		same(t, pointers, want)
	}},
	{"keys_and_values_are_any_bytes", func(t *testing.T, b online.Backend) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		big := strings.Repeat("x\x00", 1<<20)
		for _, key := range []string{"", "\x00", "a\x00", "a", "}{", "*", "\r\n", "é\xff", string(all), strings.Repeat("k", 4000)} {
			for _, value := range []string{"\x00", "\r\n", string(all), big} {
				set(t, b, key, value)
				if got := get(t, b, key); got != value {
					t.Fatalf("key %.20q: got %d bytes, want %d", key, len(got), len(value))
				}
			}
		}
	}},
	{"a_value_of_no_bytes_is_not_absent", func(t *testing.T, b online.Backend) {
		ctx := context.Background()
		for _, empty := range [][]byte{nil, {}} {
			if err := b.Commit(ctx, online.Commit{Set: []online.KV{{Key: []byte("a"), Value: empty}, {Key: []byte("b"), Value: []byte("1")}}}); err != nil {
				t.Fatal(err)
			}
			records, pointers, err := b.Get(ctx, online.Read{Keys: bs("none", "a", "b"), Pointers: bs("a", "none")})
			if err != nil {
				t.Fatal(err)
			}
			same(t, records, [][]byte{nil, {}, []byte("1")})
			same(t, pointers, [][]byte{{}, nil})
			conflict(t, b.Commit(ctx, online.Commit{Guards: []online.Guard{{Key: []byte("a")}}}))
			conflict(t, b.Commit(ctx, online.Commit{Guards: []online.Guard{{Key: []byte("none"), Want: []byte{}}}}))
			if err := b.Commit(ctx, online.Commit{Guards: []online.Guard{{Key: []byte("a"), Want: []byte{}}, {Key: []byte("none")}}, Delete: bs("a")}); err != nil {
				t.Error(err)
			}
		}
		many := make([][]byte, 3500) // more keys than a backend requests at once
		for i := range many {
			many[i] = fmt.Append(nil, "k", i)
		}
		set(t, b, "k3499", "")
		records, _, err := b.Get(ctx, online.Read{Keys: many})
		if err != nil {
			t.Fatal(err)
		}
		if records[0] != nil || records[3499] == nil {
			t.Errorf("got %q and %q, want nil and no bytes", records[0], records[3499])
		}
	}},
	{"commit_changes_all_or_nothing", func(t *testing.T, b online.Backend) {
		set(t, b, "guard", "is", "gone", "1")
		c := online.Commit{Guards: []online.Guard{{Key: []byte("guard"), Want: []byte("other")}}, Set: kvs("new", "1"), Delete: bs("gone")}
		conflict(t, b.Commit(context.Background(), c))
		if get(t, b, "new") != "" || get(t, b, "gone") != "1" {
			t.Error("a refused commit changed something")
		}
		c.Guards[0].Want = []byte("is")
		if err := b.Commit(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		if get(t, b, "new") != "1" || get(t, b, "gone") != "" {
			t.Error("a commit changed only in part")
		}
	}},
	{"every_guard_must_hold", func(t *testing.T, b online.Backend) {
		set(t, b, "a", "1", "b", "2")
		for _, c := range []struct {
			a, b, c []byte
			ok      bool
		}{
			{[]byte("1"), []byte("2"), nil, true},
			{[]byte("1"), []byte("3"), nil, false},
			{[]byte("0"), []byte("2"), nil, false},
			{[]byte("1"), []byte("2"), []byte("3"), false},
			{[]byte("1"), nil, nil, false},
			{[]byte("11"), []byte("2"), nil, false},
		} {
			guards := []online.Guard{{Key: []byte("a"), Want: c.a}, {Key: []byte("b"), Want: c.b}, {Key: []byte("absent"), Want: c.c}}
			err := b.Commit(context.Background(), online.Commit{Guards: guards, Set: kvs("x", "1")})
			if (err == nil) != c.ok || err != nil && !errors.Is(err, fstore.ErrConflict) {
				t.Errorf("%q %q %q: %v", c.a, c.b, c.c, err)
			}
		}
	}},
	{"a_guard_may_be_replaced_and_deleted", func(t *testing.T, b online.Backend) {
		guard := func(want []byte) []online.Guard { return []online.Guard{{Key: []byte("g"), Want: want}} }
		for _, c := range []online.Commit{
			{Guards: guard(nil), Set: kvs("g", "1")},
			{Guards: guard([]byte("1")), Set: kvs("g", "2")},
			{Guards: guard([]byte("2")), Delete: bs("g")},
			{Guards: guard(nil)},
		} {
			if err := b.Commit(context.Background(), c); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"a_refused_commit_leaves_the_next_alone", func(t *testing.T, b online.Backend) {
		// A backend that forgets to stop watching "a" would refuse the second commit because of the third one's
		// change.
		conflict(t, b.Commit(context.Background(), online.Commit{Guards: []online.Guard{{Key: []byte("a"), Want: []byte("x")}}, Set: kvs("n", "1")}))
		for i := range 20 {
			set(t, b, "a", fmt.Sprint(i))
			if err := b.Commit(context.Background(), online.Commit{Guards: []online.Guard{{Key: []byte("b")}}, Set: kvs("c", "1")}); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"delete_of_an_absent_key_is_no_error", func(t *testing.T, b online.Backend) {
		if err := b.Commit(context.Background(), online.Commit{Delete: bs("a", "b")}); err != nil {
			t.Error(err)
		}
	}},
	{"a_key_that_is_set_and_deleted_at_once_is_gone", func(t *testing.T, b online.Backend) {
		if err := b.Commit(context.Background(), online.Commit{Guards: []online.Guard{{Key: []byte("k")}}, Set: kvs("k", "v", "other", "v"), Delete: bs("k")}); err != nil {
			t.Fatal(err)
		}
		same(t, scanned(t, b, ""), bs("other"))
	}},
	{"large_commits", func(t *testing.T, b online.Backend) {
		var kv []string
		var keys [][]byte
		for i := range 5000 {
			kv, keys = append(kv, fmt.Sprint("k", i), fmt.Sprint("v", i)), append(keys, fmt.Append(nil, "k", i))
		}
		set(t, b, kv...)
		if got := get(t, b, "k4999"); got != "v4999" {
			t.Errorf("got %q", got)
		}
		if err := b.Commit(context.Background(), online.Commit{Set: kvs("z", "1"), Delete: keys}); err != nil {
			t.Fatal(err)
		}
		same(t, scanned(t, b, ""), bs("z"))
	}},
	{"commit_and_get_keep_nothing_they_are_given", func(t *testing.T, b online.Backend) {
		key, value, guard := []byte("key"), []byte("value"), []byte("guard")
		if err := b.Commit(context.Background(), online.Commit{Guards: []online.Guard{{Key: guard}}, Set: []online.KV{{Key: key, Value: value}}}); err != nil {
			t.Fatal(err)
		}
		key[0], value[0], guard[0] = 'X', 'X', 'X'
		if got := get(t, b, "key"); got != "value" {
			t.Errorf("got %q", got)
		}
	}},
	{"scan_finds_the_keys_of_a_prefix", func(t *testing.T, b online.Backend) {
		set(t, b, "a*b", "1", "a*bc", "1", "aXb", "1", "a", "1", "f{x}\x00\xff", "1", "[q]", "1", "q", "1", `\?`, "1", "ab", "1")
		for prefix, want := range map[string][]string{
			"a*b": {"a*b", "a*bc"}, "f{": {"f{x}\x00\xff"}, "[q": {"[q]"}, `\?`: {`\?`}, "none": nil, "a": {"a", "a*b", "a*bc", "aXb", "ab"},
		} {
			same(t, scanned(t, b, prefix), bs(want...))
		}
	}},
	{"scan_finds_all_of_many_keys", func(t *testing.T, b online.Backend) {
		var kv []string
		var want [][]byte
		for i := range 2500 {
			k := fmt.Sprintf("k%05d", i)
			kv, want = append(kv, k, "v"), append(want, []byte(k))
		}
		set(t, b, kv...)
		same(t, scanned(t, b, "k"), want)
	}},
	{"scan_ends_with_the_first_error_and_may_be_used_to_delete", func(t *testing.T, b online.Backend) {
		set(t, b, "k1", "v", "k2", "v", "k3", "v")
		stop := errors.New("stop")
		calls := 0
		err := b.Scan(context.Background(), []byte("k"), func([]byte) error { calls++; return stop })
		if err != stop || calls != 1 {
			t.Errorf("got %v after %d calls", err, calls)
		}
		err = b.Scan(context.Background(), []byte("k"), func(k []byte) error {
			return b.Commit(context.Background(), online.Commit{Delete: [][]byte{bytes.Clone(k)}})
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, scanned(t, b, "k"), bs())
	}},
	{"a_context_that_is_done_is_unavailable", func(t *testing.T, b online.Backend) {
		set(t, b, "a", "1")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _, getErr := b.Get(ctx, online.Read{Keys: bs("a")})
		for _, err := range []error{getErr, b.Commit(ctx, online.Commit{Set: kvs("a", "2")})} {
			if !errors.Is(err, fstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want ErrUnavailable and context.Canceled", err)
			}
		}
		if got := get(t, b, "a"); got != "1" {
			t.Errorf("got %q", got)
		}
	}},
	{"check_accepts_an_empty_store", func(t *testing.T, b online.Backend) {
		if warnings, err := b.Check(context.Background()); err != nil || len(warnings) > 0 {
			t.Errorf("got %q, %v", warnings, err)
		}
	}},
}

func bs(keys ...string) (out [][]byte) {
	for _, k := range keys {
		out = append(out, []byte(k))
	}
	return out
}

func kvs(s ...string) (out []online.KV) {
	for i := 0; i < len(s); i += 2 {
		out = append(out, online.KV{Key: []byte(s[i]), Value: []byte(s[i+1])})
	}
	return out
}

func set(t testing.TB, b online.Backend, kv ...string) {
	t.Helper()
	if err := b.Commit(context.Background(), online.Commit{Set: kvs(kv...)}); err != nil {
		t.Fatal(err)
	}
}

// get returns the value of a key, "" where it is absent.
func get(t testing.TB, b online.Backend, key string) string {
	t.Helper()
	records, _, err := b.Get(context.Background(), online.Read{Keys: bs(key)})
	if err != nil {
		t.Fatal(err)
	}
	return string(records[0])
}

// scanned returns the distinct keys of a prefix, sorted.
func scanned(t testing.TB, b online.Backend, prefix string) (keys [][]byte) {
	t.Helper()
	seen := map[string]bool{}
	err := b.Scan(context.Background(), []byte(prefix), func(k []byte) error {
		if !seen[string(k)] {
			seen[string(k)] = true
			keys = append(keys, bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Slice(keys, func(i, j int) bool { return bytes.Compare(keys[i], keys[j]) < 0 })
	return keys
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func conflict(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, fstore.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}
