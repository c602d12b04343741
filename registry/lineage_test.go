package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A plan says what the changed definitions read, and everything that reads them, before the plan or after it.
func TestThePlanHasTheLineageOfWhatChanges(t *testing.T) {
	const trend = "---\nkind: feature_view\nname: order_trend\nentities: [customer]\nsql: trend.sql\nevent_timestamp: invoice_date\ncreated_timestamp: known\nfeatures: [{name: previous_value, type: float64}]\n"
	for _, c := range []struct {
		name, want string
		edits      []string
	}{
		{"nothing", "", nil},
		{"a view", `
feature_view airport_weather → feature_service churn
feature_view customer_orders → feature_service churn
feature_view customer_orders → feature_view order_trend
feature_view order_trend → feature_service churn
feature_view world → feature_service churn
source lines → feature_view customer_orders
`, []string{"ttl: 90d", "ttl: 91d"}},
		{"a view that goes", `
feature_view airport_weather → feature_service churn
feature_view customer_orders → feature_service churn
feature_view customer_orders → feature_view order_trend
feature_view order_trend → feature_service churn
feature_view world → feature_service churn
`, []string{trend, "", "  - order_trend.previous_value\n", ""}},
		{"an entity", `
entity airport → feature_view airport_weather
feature_view airport_weather → feature_service churn
`, []string{"name: airport\njoin_keys", "name: airport\ndescription: Where planes land\njoin_keys"}},
	} {
		db := open(t)
		apply(t, db, shop(t))
		var got strings.Builder
		for _, e := range plan(t, db, shop(t, c.edits...)).Lineage {
			fmt.Fprintf(&got, "%s %s → %s %s\n", e.From.Kind, e.From.Name, e.To.Kind, e.To.Name)
		}
		if d := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got.String()); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, d)
		}
	}
}
