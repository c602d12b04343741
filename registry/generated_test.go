package registry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// history is a registry while random edits, applies, promotions and pins happen to it, and what was seen of it.
type history struct {
	t        *testing.T
	db       *registry.Store
	rnd      *rand.Rand
	repos    []*definition.Definitions
	versions map[string]string // every version ever seen, as JSON
	pins     map[fstore.ModelRef]string
}

// Whatever happens to a project, versions never change, head reads head's versions, every list can be evaluated, pins keep
// what was pinned, and everything that answers stays live.
func TestRandomHistoriesKeepTheRules(t *testing.T) {
	var repos []*definition.Definitions
	for _, edits := range [][]string{
		nil,
		{"ttl: 90d", "ttl: 30d"},
		{"> 20.0", "> 21.0"},
		{"trip.share * float64", "trip.share + float64", "ttl: 90d", "ttl: 30d"},
		{"countries.parquet", "states.parquet"},
		{"request: {amount: fare_amount}\n", ""},
		{"keys: {airport: origin}, as: origin_weather", "keys: {airport: start}, as: sky", "origin_weather.temperature", "sky.temperature"},
		{"  - {name: order_lines, type: int64, default: 0, column: n}\n", "", "  - {ref: customer_orders.order_lines, as: lines}\n", ""},
		{"name: world\n", "name: globe\n", "world.", "globe."},
		{", default: 2}", "}", "kind: feature_service\nname: ride", "kind: feature_service\nname: journey"},
		{"  - fare.scaled\n", "", "uses: [trip.share, world.population]", "uses: [trip.share]", "trip.share * float64(world.population)", "trip.share"},
	} {
		repos = append(repos, trips(t, edits...))
	}
	repos = append(repos, shop(t))
	for seed := range uint64(8) {
		h := &history{t: t, db: open(t), rnd: rand.New(rand.NewPCG(seed, 1)), repos: repos, versions: map[string]string{}, pins: map[fstore.ModelRef]string{}}
		var steps []string
		for range 25 {
			steps = append(steps, h.step())
			if h.check(); t.Failed() {
				t.Fatalf("seed %d, after %s", seed, strings.Join(steps, ", "))
			}
		}
	}
}

// step does something at random and says what.
func (h *history) step() string {
	ctx, s := context.Background(), revision(h.t, h.db)
	switch h.rnd.IntN(4) {
	case 0:
		published := map[fstore.ViewRef]time.Time{}
		for _, v := range s.Live() {
			if h.rnd.IntN(4) > 0 {
				published[v.Ref] = epoch
			}
		}
		return "promote " + promote(h.t, h.db, published)
	case 1:
		services := s.Services()
		if len(services) == 0 {
			return "nothing"
		}
		list, err := s.HeadService(services[h.rnd.IntN(len(services))].Ref.Name)
		if err != nil {
			h.t.Fatal(err)
		}
		m := model(fmt.Sprint(len(h.pins)))
		if _, _, err := h.db.PinModel(ctx, "shop", registry.Pin{Model: m, List: list, Now: epoch}); err != nil {
			h.t.Fatal(err)
		}
		h.pins[m] = listText(list)
		return "pin " + list.Service.String()
	}
	i := h.rnd.IntN(len(h.repos))
	if p := plan(h.t, h.db, h.repos[i]); !p.Empty() {
		apply(h.t, h.db, h.repos[i])
	}
	if again := plan(h.t, h.db, h.repos[i]); !again.Empty() {
		h.t.Errorf("a second plan is not empty:\n%s", summary(again))
	}
	return fmt.Sprintf("apply repo %d", i)
}

func (h *history) check() {
	h.t.Helper()
	s := revision(h.t, h.db)
	live := map[fstore.ViewRef]bool{}
	for _, v := range s.Live() {
		live[v.Ref] = true
	}
	evaluates := func(what string, list *fstore.FeatureList, err error) {
		if err != nil {
			h.t.Errorf("%s: %v", what, err)
			return
		}
		if _, err := ondemand.NewEvaluation(list); err != nil {
			h.t.Errorf("%s: %v", what, err)
		}
		for _, u := range list.Uses {
			if !live[u.Version.Ref] {
				h.t.Errorf("%s looks up %s, which is not live", what, u.Version.Ref)
			}
		}
	}
	for _, v := range s.OnDemand() {
		prints := map[string]fstore.ViewRef{}
		for _, stored := range s.OnDemandVersions(v.Ref.Name) {
			h.stays(stored.Ref, stored)
			print := stored.Fingerprint // a view by another name is another input, and has the same fingerprint
			for _, in := range stored.Inputs {
				print += " " + in.Ref.String()
			}
			if same, ok := prints[print]; ok {
				h.t.Errorf("%s and %s are the same", same, stored.Ref)
			}
			prints[print] = stored.Ref
		}
		for _, in := range s.OnDemandView(v.Ref).Inputs {
			head := s.View(ref(in.Ref.Name, 0))
			if in.OnDemand && s.OnDemandView(ref(in.Ref.Name, 0)).Ref != in.Ref || !in.OnDemand && head.Ref != in.Ref {
				h.t.Errorf("%s in head reads %s, which is not in head", v.Ref, in.Ref)
			}
		}
		list, err := s.HeadFeatures([]string{v.Ref.Name + ".*"})
		evaluates("head's "+v.Ref.Name, list, err)
		if v.Serving > 0 {
			list, err := s.ServingFeatures([]string{v.Ref.Name + ".*"})
			evaluates("the serving "+v.Ref.Name, list, err)
		}
	}
	for _, v := range s.Services() {
		list, err := s.HeadService(v.Ref.Name)
		evaluates("head's "+v.Ref.Name, list, err)
		if v.Serving > 0 {
			list, err := s.ServingService(v.Ref.Name)
			evaluates("the serving "+v.Ref.Name, list, err)
		}
	}
	for m, want := range h.pins {
		list, err := s.ModelFeatures(m)
		evaluates("model "+m.String(), list, err)
		if got := listText(list); got != want {
			h.t.Errorf("model %s has\n%s\nand was pinned to\n%s", m, got, want)
		}
	}
}

// stays reports a version that is not what it was.
func (h *history) stays(ref fstore.ViewRef, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		h.t.Fatal(err)
	}
	if was, seen := h.versions[ref.String()]; seen && was != string(text) {
		h.t.Errorf("%s was %s and is %s", ref, was, text)
	}
	h.versions[ref.String()] = string(text)
}
