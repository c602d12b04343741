package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
)

// Another build may encode definitions another way: versions whose stored fingerprints it cannot make are
// compared by their definitions.
func TestAnotherAlgorithmMakesNoVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	db, err := openURL(context.Background(), "sqlite://"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	apply(t, db, shop(t))
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, table := range []string{"versions", "head"} {
		if _, err := raw.Exec("update " + table + ` set definition = json_set(definition, '$.fingerprint', 'old ' || name)
			where kind in ('feature_view', 'feature_service')`); err != nil {
			t.Fatal(err)
		}
	}
	if p := plan(t, db, shop(t)); !p.Empty() {
		t.Error(summary(p))
	}
	if got := summary(plan(t, db, shop(t, "customer_id is not null", "customer_id > 0"))); got != `change customer_orders 1→2 new +sql
change order_trend 1→2 new +customer_orders.sql
change churn 1→2 new +uses.customer_orders +uses.order_trend
materialize [customer_orders@2 order_trend@2]
` {
		t.Error(got)
	}
}
