package feast

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fstore-dev/fstore"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server/servertest"
)

// TestAServiceOverGRPC asks for every status: customer 1 is there, 2 is null, 3 is older than the ttl, and 4 is unknown.
// lines has a default.
func TestAServiceOverGRPC(t *testing.T) {
	w := newWorld(t)
	got, err := w.grpc(t, byService("churn", 1, 2, 3, 4))
	if err != nil {
		t.Fatal(err)
	}
	none, fresh := &timestamppb.Timestamp{}, timestamppb.New(servertest.Now.Add(-60*60*1e9))
	old := timestamppb.New(servertest.Now.AddDate(0, 0, -31))
	events := []*timestamppb.Timestamp{fresh, fresh, old, none}
	statuses := []feastpb.FieldStatus{feastpb.FieldStatus_PRESENT, feastpb.FieldStatus_NULL_VALUE, feastpb.FieldStatus_OUTSIDE_MAX_AGE, feastpb.FieldStatus_NOT_FOUND}
	present := feastpb.FieldStatus_PRESENT
	want := &feastpb.GetOnlineFeaturesResponse{
		Metadata: &feastpb.GetOnlineFeaturesResponseMetadata{FeatureNames: &feastpb.FeatureList{Val: []string{"customer_id", "value", "lines"}}},
		Results: []*feastpb.GetOnlineFeaturesResponse_FeatureVector{
			{Values: int64s(1, 2, 3, 4).Val, Statuses: []feastpb.FieldStatus{present, present, present, present}, EventTimestamps: []*timestamppb.Timestamp{none, none, none, none}},
			{Values: []*feastpb.Value{valueOf(10.5), {}, {}, {}}, Statuses: statuses, EventTimestamps: events},
			{Values: int64s(3, 0, 0, 0).Val, Statuses: statuses, EventTimestamps: events},
		},
		Status: true,
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAServiceOverHTTP(t *testing.T) {
	w := newWorld(t)
	got, err := w.http(t, `{"feature_service":"churn","features":null,"entities":{"customer_id":[1,2,3,4]},"include_feature_view_version_metadata":true}`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"metadata":{"feature_names":["customer_id","value","lines"],"feature_view_metadata":[{"name":"orders","version":1}]},"results":[` +
		`{"values":[1,2,3,4],"statuses":["PRESENT","PRESENT","PRESENT","PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z","1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},` +
		`{"values":[10.5,null,null,null],"statuses":["PRESENT","NULL_VALUE","OUTSIDE_MAX_AGE","NOT_FOUND"],"event_timestamps":["2026-03-01T11:00:00Z","2026-03-01T11:00:00Z","2026-01-29T12:00:00Z","1970-01-01T00:00:00Z"]},` +
		`{"values":[3,0,0,0],"statuses":["PRESENT","NULL_VALUE","OUTSIDE_MAX_AGE","NOT_FOUND"],"event_timestamps":["2026-03-01T11:00:00Z","2026-03-01T11:00:00Z","2026-01-29T12:00:00Z","1970-01-01T00:00:00Z"]}` +
		`],"status":true}` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNamesOfFeatures settles what an answer calls a feature, over both transports.
func TestNamesOfFeatures(t *testing.T) {
	w := newWorld(t)
	orders, today := servertest.Orders(2), servertest.Today()
	list := servertest.ServiceOf("renamed", 3, orders, today)
	first := list.Outputs[0].(fstore.FeatureOutput)
	first.As = "other__value"
	list.Outputs[0] = first
	views := map[string]*fstore.ViewVersion{"orders": servertest.Orders(1), "today": today, "orders@2": orders, "more": servertest.View("more", 1, servertest.CustomerKey, fstore.Feature{Name: "value", Type: fstore.Float64})}
	w.Book.Set(servertest.Page{Services: map[string]*fstore.FeatureList{"renamed": list}, Views: views})
	servertest.Publish(t, w.Store, orders, servertest.Now)
	servertest.Publish(t, w.Store, views["more"], servertest.Now)
	w.Poll(t.Context())
	for _, c := range []struct {
		name string
		refs []string // or the service renamed
		full bool
		want string // or the error
	}{
		{"features are named alone", []string{"orders:value", "today:holiday"}, false, "value holiday"},
		{"full names have the view", []string{"orders:value", "more:value"}, true, "orders__value more__value"},
		{"a version is in a full name", []string{"orders@v2:value", "orders:value"}, true, "orders@v2__value orders__value"},
		{"and in no other", []string{"orders@v2:value"}, false, "value"},
		{"latest is no version", []string{"orders@latest:value"}, true, "orders__value"},
		{"one name twice", []string{"orders:value", "more:value"}, false, "two features are named value: orders:value and more:value (send full_feature_names: true)"},
		{"one feature twice", []string{"orders:value", "orders:value"}, true, "two features are named orders__value: orders:value and orders:value (ask for each feature once)"},
		{"a service keeps the names that it gives", nil, true, "other__value orders__lines today__holiday"},
		{"a service without full names", nil, false, "other__value lines holiday"},
		{"no view", []string{"value"}, false, `"value" is not view:feature (` + refHint + ")"},
		{"no feature", []string{"orders:"}, false, `"orders:" is not view:feature: names have lower-case letters, digits and _ (` + refHint + ")"},
		{"fstore's own form", []string{"orders:value=x"}, false, `"orders:value=x" is not view:feature: names have lower-case letters, digits and _ (` + refHint + ")"},
		{"a version that is none", []string{"orders@two:value"}, false, `"orders@two:value": "two" is not a version (` + refHint + ")"},
		{"nothing", []string{}, false, "the list of features is empty (such as customer_orders.order_value, or customer_orders.*)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := byRefs(c.refs, 1)
			if c.refs == nil {
				request = byService("renamed", 1)
			}
			request.FullFeatureNames = c.full
			answer, err := w.grpc(t, request)
			got := strings.Join(answer.GetMetadata().GetFeatureNames().GetVal(), " ")
			if err != nil {
				got = "customer_id " + err.Error()
			}
			if got != "customer_id "+c.want {
				t.Errorf("over gRPC: %s\nwant: %s", got, c.want)
			}
			body := map[string]any{"entities": map[string]any{"customer_id": []int{1}}, "full_feature_names": c.full, "features": c.refs}
			if c.refs == nil {
				body["feature_service"] = "renamed"
			}
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			out, err := w.http(t, string(text))
			if err != nil {
				got = "customer_id " + err.Error()
			} else {
				var read struct {
					Metadata struct {
						Names []string `json:"feature_names"`
					} `json:"metadata"`
				}
				if err := json.Unmarshal([]byte(out), &read); err != nil {
					t.Fatal(err)
				}
				got = strings.Join(read.Metadata.Names, " ")
			}
			if got != "customer_id "+c.want {
				t.Errorf("over HTTP: %s\nwant: %s", got, c.want)
			}
		})
	}
}

func TestVersionsOfServices(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[string]string{
		"churn": "", "churn@2": "", "churn@v2": "",
		"churn@1":    "version 2 of service churn serves, not version 1 (name the service without a version, or ask fstore's own API for a model that is pinned to the version)",
		"churn@new":  `"new" is not a version (such as v2)`,
		"nobody@v2":  `there is no service "nobody" (run: fstore list)`,
		"churn@0":    `"0" is not a version (such as v2)`,
		"churn@2@v2": `"2@v2" is not a version (such as v2)`,
	} {
		_, err := w.grpc(t, byService(name, 1))
		if got := errorText(err); got != want {
			t.Errorf("%s: %s\nwant: %s", name, got, want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestServingInfo(t *testing.T) {
	w := newWorld(t)
	_, methods := w.GRPC()
	got, err := w.call(t.Context(), methods["GetFeastServingInfo"], nil)
	if want := "\n\rfstore v1.2.3"; err != nil || string(got) != want {
		t.Errorf("got %q, want %q: %v", got, want, err)
	}
}
