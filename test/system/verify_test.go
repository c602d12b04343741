package system

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// TestVerifyFindsEveryWrongKey spoils what the store holds, one way after another, on both stores, and mends it again.
func TestVerifyFindsEveryWrongKey(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "", "redis": redistest.New(t).URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, url)
			r.must("init", ".")
			r.must("apply", "--yes")
			if got := r.run("verify", "customer_orders"); got.status != 4 {
				t.Errorf("not published: status %d\n%s", got.status, got.stdout)
			}
			r.materialize("--to", "2025-12-01")
			r.must("verify")
			r.must("verify", "--service", "churn", "--sample", "20")
			ctx, b := context.Background(), r.backend()
			p, ok, err := online.New(b, "shop").Pointer(ctx, fstore.ViewRef{Name: "customer_orders", Version: 1})
			if err != nil || !ok {
				t.Fatal(err)
			}
			all := dump(t, b)
			var places []string // of the view's records
			for physical := range all {
				if mine, _ := records(map[string]string{physical: "x"}, p.Generation); len(mine) == 1 {
					places = append(places, physical)
				}
			}
			slices.Sort(places)
			first, second := places[0], places[1]
			damaged := []byte(all[first])
			damaged[len(damaged)/2] ^= 1
			for _, c := range []struct{ kind, place, record string }{
				{"undecodable", first, all[first][:3]},
				{"undecodable", first, ""},
				{"undecodable", first, string(damaged)},
				{"undecodable", first, all[second]}, // its checksum is of its own key
				{"differing", first, otherRecord(first, all[first])},
				{"missing", first, gone},
				{"extra", first + "\x01", all[first]},
			} {
				put(t, b, c.place, c.record)
				got := r.run("verify", "customer_orders", "--output", "json")
				var said struct {
					OK    bool
					Views []struct {
						Differences []struct{ Kind string }
					}
				}
				if err := json.Unmarshal([]byte(got.stdout), &said); err != nil || got.status != 4 || said.OK || len(said.Views[0].Differences) != 1 || said.Views[0].Differences[0].Kind != c.kind {
					t.Errorf("%s: status %d, %v\n%s%s", c.kind, got.status, err, got.stdout, got.stderr)
				}
				was, ok := all[c.place]
				if !ok {
					was = gone
				}
				put(t, b, c.place, was)
				r.must("verify", "customer_orders")
			}
		})
	}
}

// otherRecord returns a record of the same key with another value and the right checksum: the CRC-32C of its
// generation, its key and all bytes before it.
func otherRecord(physical, record string) string {
	other := []byte(record[:len(record)-4])
	other[len(other)-1] ^= 1
	sum := crc32.Checksum(append([]byte(physical[6:]), other...), crc32.MakeTable(crc32.Castagnoli))
	return string(binary.LittleEndian.AppendUint32(other, sum))
}

// gone is what put deletes a record for.
const gone = "gone"

// put writes a record by hand, or deletes it.
func put(t *testing.T, b online.Backend, physical, record string) {
	t.Helper()
	c := online.Commit{Set: []online.KV{{Key: []byte(physical), Value: []byte(record)}}}
	if record == gone {
		c = online.Commit{Delete: [][]byte{[]byte(physical)}}
	}
	if err := b.Commit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}
