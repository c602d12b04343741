package registry_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/registry"
)

func TestTheLatestRoundsOfMonitoringAreKept(t *testing.T) {
	db, ctx := open(t), t.Context()
	apply(t, db, shop(t))
	before := revision(t, db).Number
	of := registry.Watched{Service: "churn", Model: "fraud", Version: "7"}
	for i := range registry.MaxMonitored + 5 {
		m := registry.Monitored{Time: epoch.Add(time.Duration(i) * time.Hour), By: "ana", OK: i%2 == 0, Result: json.RawMessage(fmt.Sprint(i))}
		if err := db.AddMonitored(ctx, "shop", of, m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.Monitored(ctx, "shop", of)
	if err != nil || len(got) != registry.MaxMonitored {
		t.Fatal(len(got), err)
	}
	for i, m := range got {
		n := registry.MaxMonitored + 4 - i
		if string(m.Result) != fmt.Sprint(n) || m.OK != (n%2 == 0) || m.By != "ana" || !m.Time.Equal(epoch.Add(time.Duration(n)*time.Hour)) {
			t.Errorf("round %d is %+v, want round %d", i, m, n)
		}
	}
	for _, other := range []registry.Watched{{Service: "churn"}, {Model: "fraud", Version: "7"}, {Service: "churn", Model: "fraud", Version: "8"}} {
		if got, err := db.Monitored(ctx, "shop", other); err != nil || got != nil {
			t.Errorf("%s has %v, %v", other, got, err)
		}
	}
	if after := revision(t, db).Number; after != before {
		t.Errorf("monitoring changed the revision from %d to %d", before, after)
	}
}
