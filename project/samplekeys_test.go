package project

import (
	"fmt"
	"math/rand/v2"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
)

// Draws have whole rows, each as often as another, whatever their number is: the draws of neighbouring requests are
// independent.
func TestDraw(t *testing.T) {
	rows := &KeyRows{Columns: []fstore.Column{client.Keys[int64]("a"), client.Keys[string]("b")}}
	const n, draws = 10, 20_000
	for i := range n {
		rows.Columns[0].Append(int64(i))
		rows.Columns[1].Append(fmt.Sprint(i))
	}
	counts, again := map[int64]int{}, 0
	last := int64(-1)
	for request := range uint64(draws) {
		got := rows.Draw(2, rand.New(rand.NewPCG(7, request)))
		for i, a := range got[0].Int64s {
			if b := got[1].Strings[i]; b != fmt.Sprint(a) {
				t.Fatalf("a row of %d and %s", a, b)
			}
			counts[a]++
		}
		if got[0].Int64s[0] == last {
			again++
		}
		last = got[0].Int64s[0]
	}
	for i := range int64(n) {
		if c := counts[i]; c < 2*draws/n-300 || c > 2*draws/n+300 { // 5 standard deviations
			t.Errorf("row %d was drawn %d times of %d", i, c, 2*draws)
		}
	}
	if again < draws/n-220 || again > draws/n+220 {
		t.Errorf("%d of %d requests ask for the key of the one before", again, draws)
	}
}

func TestCombinedKeys(t *testing.T) {
	column := func(name string, values ...int64) *fstore.Column {
		c := client.Keys(name, values...)
		return &c
	}
	list := &fstore.FeatureList{
		Uses:     []fstore.ViewUse{{Keys: []fstore.KeyBinding{{Key: fstore.Field{Name: "a", Type: fstore.Int64}, Column: "a"}, {Key: fstore.Field{Name: "b", Type: fstore.Int64}, Column: "b"}}}},
		OnDemand: []*fstore.OnDemandVersion{{View: fstore.OnDemandView{Request: []fstore.RequestColumn{{Name: "tip", Type: fstore.Float64, Default: &fstore.Value{Column: client.Keys("tip", 1.0)}}}}}},
	}
	rows := NewKeyRows(list, nil)
	if err := rows.combine(map[string]*fstore.Column{"a": column("a", 1, 2, 3), "b": column("b", 7, 8)}, nil); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"[1,2,3]", "[7,8,7]", "[null,null,null]"} {
		if got := string(rows.Columns[i].AppendValuesJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", rows.Columns[i].Name, got, want)
		}
	}
	check := func(want string, err error) {
		t.Helper()
		if got := fstore.MessageOf(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	check("no values of b are known: the state folder has no keys of v@1, w@2", NewKeyRows(list, nil).combine(map[string]*fstore.Column{"a": column("a", 1)}, map[string][]string{"a": {"u@1"}, "b": {"v@1", "w@2"}}))
	list.OnDemand[0].View.Request[0].Default = nil
	check("only callers know the values of the request column tip", NewKeyRows(list, nil).combine(map[string]*fstore.Column{"a": column("a", 1), "b": column("b", 1)}, nil))
}
