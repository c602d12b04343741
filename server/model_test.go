package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server/servertest"
)

func byModel(name, version string, entities ...*fstorev1.Column) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Model{Model: &fstorev1.ModelRef{Name: name, Version: version}}, Entities: entities,
	}
}

// models returns a world in which orders@2 serves and a model is pinned to orders@1, by names and in an order of its
// own; orders@3, pinned to another, is not published.
func models(t *testing.T) *world {
	w := newWorld(t, nil)
	pin := func(version string, v *fstore.ViewVersion) *fstore.FeatureList {
		l := &fstore.FeatureList{Model: fstore.ModelRef{Name: "fraud", Version: version}}
		servertest.Add(l, v, "count", "lines")
		servertest.Add(l, v, "amount", "value")
		return l
	}
	one, two, three := orders(1), orders(2), orders(3)
	w.book.Set(page{
		Services: map[string]*fstore.FeatureList{"churn": serviceOf("churn", 2, two)},
		Models: map[fstore.ModelRef]*fstore.FeatureList{
			{Name: "fraud", Version: "1"}: pin("1", one), {Name: "fraud", Version: "champion"}: pin("1", one), {Name: "fraud", Version: "3"}: pin("3", three),
		},
	})
	publish(t, w.store, one, now, row{int64(1), now, int64(11), 1.5})
	publish(t, w.store, two, now, row{int64(1), now, int64(22), 2.5})
	return w.start(t)
}

func TestAModelIsServedWhatIsPinnedToIt(t *testing.T) {
	w := models(t)
	for _, named := range []string{"1", "champion"} {
		got, err := w.client.GetOnlineFeatures(context.Background(), byModel("fraud", named, int64s("customer_id", 1)))
		if err != nil {
			t.Fatal(err)
		}
		f := got.Features
		if len(f) != 2 || f[0].Name != "count" || f[0].Int64Values[0] != 11 || f[1].Name != "amount" || f[1].Float64Values[0] != 1.5 {
			t.Errorf("%s: got %v", named, f)
		}
		if got.Model.GetName() != "fraud" || got.Model.GetVersion() != "1" || got.Service != nil || got.Views[0].Version != 1 {
			t.Errorf("%s: got model %v, service %v, views %v", named, got.Model, got.Service, got.Views)
		}
	}
	got, err := w.client.GetOnlineFeatures(context.Background(), byService("churn", int64s("customer_id", 1)))
	if err != nil || got.Model != nil || got.Features[0].Float64Values[0] != 2.5 {
		t.Errorf("head beside it: %v, %v", got, err)
	}
	code, body := w.post(t, `{"model":{"name":"fraud","version":"champion"},"entities":{"customer_id":[1]}}`)
	want := `{"entities":{"customer_id":[1]},"features":[{"name":"count","type":"int64","values":[11]},
		{"name":"amount","type":"float64","values":[1.5]}],
		"versions":[{"view":"orders","version":1,"generation":"0000060100000000","published":"2026-03-01T12:00:00Z"}],"model":{"name":"fraud","version":"1"}}`
	if diff := cmp.Diff(indented(t, []byte(want)), indented(t, body)); code != http.StatusOK || diff != "" {
		t.Errorf("got %d (-want +got):\n%s", code, diff)
	}
	answer, err := client.New(w.conn, client.Options{}).Get(context.Background(), client.Request{
		Selection: client.Selection{Model: fstore.ModelRef{Name: "fraud", Version: "champion"}}, Keys: keysOf(1),
	})
	if err != nil || answer.Model.Version != "1" || answer.Features[0].Column.Int64s[0] != 11 {
		t.Errorf("%v, %v", answer, err)
	}
}

func keysOf(ids ...int64) []fstore.Column {
	c := fstore.NewColumn("customer_id", fstore.Int64, len(ids))
	for _, id := range ids {
		c.Append(id)
	}
	return []fstore.Column{c}
}

// A model whose versions are not published is refused with what to run, never answered from others.
func TestAModelThatIsNotPublishedIsRefused(t *testing.T) {
	w := models(t)
	for _, c := range []struct {
		req  *fstorev1.GetOnlineFeaturesRequest
		code codes.Code
		says string
	}{
		{byModel("fraud", "3", int64s("customer_id", 1)), codes.FailedPrecondition, "fstore materialize orders@3"},
		{byModel("fraud", "4", int64s("customer_id", 1)), codes.NotFound, "no model fraud@4"},
		{byModel("", ""), codes.NotFound, "no model"},
	} {
		_, err := w.client.GetOnlineFeatures(context.Background(), c.req)
		if status.Code(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: got %v, want %v: …%s…", c.req, err, c.code, c.says)
		}
	}
	for body, says := range map[string]string{
		`{"model":{"name":"fraud"},"entities":{}}`:                             "name or version is missing",
		`{"model":{"name":"fraud","version":3},"entities":{}}`:                 "model version is not a string",
		`{"model":"fraud@3","entities":{}}`:                                    "model: not an object",
		`{"model":{"name":"fraud","version":"1","alias":"x"},"entities":{}}`:   `unknown field \"alias\"`,
		`{"model":{"name":"fraud","version":"1"},"service":"s","entities":{}}`: "one of a service, a model and features",
	} {
		if code, got := w.post(t, body); code != http.StatusBadRequest || !strings.Contains(string(got), says) {
			t.Errorf("%s: got %d %s, want …%s…", body, code, got, says)
		}
	}
}

// An alias that moves is followed with the registry's revision.
func TestAnAliasIsResolvedAtEachRevision(t *testing.T) {
	w := models(t)
	ask := func() string {
		t.Helper()
		got, err := w.client.GetOnlineFeatures(context.Background(), byModel("fraud", "champion", int64s("customer_id", 1)))
		if err != nil {
			return status.Code(err).String()
		}
		return got.Model.GetVersion()
	}
	if got := ask(); got != "1" {
		t.Error(got)
	}
	p := w.book.Page
	p.Models = map[fstore.ModelRef]*fstore.FeatureList{{Name: "fraud", Version: "champion"}: p.Models[fstore.ModelRef{Name: "fraud", Version: "3"}]}
	w.book.Set(p)
	w.refresh()
	if got := ask(); got != "FailedPrecondition" {
		t.Error("it stands for a version that is not published:", got)
	}
	w.book.Set(page{})
	w.refresh()
	if got := ask(); got != "NotFound" {
		t.Error("it is gone:", got)
	}
}
