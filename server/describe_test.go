package server_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// Over gRPC and HTTP a description says what a look-up with the same selection needs and gives.
func TestDescribeFeatures(t *testing.T) {
	w := shop(t, nil)
	want := &fstorev1.DescribeFeaturesResponse{}
	if err := protojson.Unmarshal([]byte(`{"keyColumns": [{"name": "customer_id", "type": "int64"}], "features": [
		{"name": "value", "type": "float64", "view": "orders", "viewVersion": 1, "feature": "value"},
		{"name": "lines", "type": "int64", "view": "orders", "viewVersion": 1, "feature": "lines"}],
		"service": {"name": "churn", "version": 2}}`), want); err != nil {
		t.Fatal(err)
	}
	got, err := w.client.DescribeFeatures(context.Background(), &fstorev1.DescribeFeaturesRequest{
		Selection: &fstorev1.DescribeFeaturesRequest_Service{Service: "churn"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("description differs (-want +got):\n%s", diff)
	}
	code, body := w.call(t, "POST", "/v1/describe", `{"service":"churn"}`)
	const inJSON = `{"key_columns":[{"name":"customer_id","type":"int64"}],"features":[` +
		`{"name":"value","type":"float64","view":{"name":"orders","version":1},"feature":"value"},` +
		`{"name":"lines","type":"int64","view":{"name":"orders","version":1},"feature":"lines"}],"service":{"name":"churn","version":2}}` + "\n"
	if code != 200 || string(body) != inJSON {
		t.Errorf("got %d %s, want %s", code, body, inJSON)
	}
	for body, want := range map[string]int{
		`{"service":"nope"}`: 404, `{}`: 400, `{"service":"churn","entities":{"customer_id":[1]}}`: 400, `{"features":["orders.value=v"]}`: 200,
	} {
		if code, answer := w.call(t, "POST", "/v1/describe", body); code != want {
			t.Errorf("%s: got %d %s, want %d", body, code, answer, want)
		}
	}
	_, err = w.client.DescribeFeatures(context.Background(), &fstorev1.DescribeFeaturesRequest{})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("nothing selected: got %v", err)
	}
}

// A request may carry key columns that other features need: their values are ignored, their length is not.
func TestKeyColumnsThatOtherFeaturesNeedAreIgnored(t *testing.T) {
	w := shop(t, nil)
	next := w.book.Page
	next.Also = map[string]bool{"product_id": true}
	w.book.Set(next)
	w.refresh()
	want, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("product_id", 7, 8), int64s("customer_id", 1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("answer differs (-want +got):\n%s", diff)
	}
	code, body := w.post(t, `{"service":"churn","entities":{"product_id":["a",null],"customer_id":[1,2]}}`)
	_, plain := w.post(t, `{"service":"churn","entities":{"customer_id":[1,2]}}`)
	if code != 200 || string(body) != string(plain) {
		t.Errorf("got %d %s, want %s", code, body, plain)
	}
	for _, c := range []struct{ body, want string }{
		{`{"service":"churn","entities":{"product_id":[7],"customer_id":[1,2]}}`, "has 2 rows, not 1"},
		{`{"service":"churn","entities":{"other_id":[7,8],"customer_id":[1,2]}}`, "unknown key column other_id"},
		{`{"service":"churn","entities":{"product_id":[7,8]}}`, "customer_id is missing"},
	} {
		if code, body := w.post(t, c.body); code != 400 || !containsText(body, c.want) {
			t.Errorf("%s: got %d %s, want 400 and %q", c.body, code, body, c.want)
		}
	}
	code, body = w.post(t, `{"service":"global","entities":{"customer_id":[1,2]}}`)
	if code != 200 || !containsText(body, `"values":[`) {
		t.Errorf("features without keys: got %d %s", code, body)
	}
}
