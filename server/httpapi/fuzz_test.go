package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
)

// FuzzRequestJSON holds that no body makes the decoder panic or allocate more than a multiple of it; that it takes
// nothing but JSON objects without a name twice, with a service or features; and that what it takes it reads as
// encoding/json does, and again where it is written anew.
func FuzzRequestJSON(f *testing.F) {
	for _, s := range []string{
		`{"service":"churn","entities":{"customer_id":[17850,null,1e3]},"event_timestamps":true}`,
		`{"features":["a.b","c.*"],"entities":{"k":["x","\u0000"],"t":["2026-01-01"]}}`,
		`{"features":["a.b=c"],"entities":{"k":["AA==","",true,"2026-01-01T00:00:00.000001Z","NaN"]}}`,
		`{"service":"s","entities":{"k":[1.5,"NaN","-Infinity",-0.0,null],"l":[[1,2.5],[],null,[null]],"b":[true,null],"t":["2026-03-01T11:00:00.5Z","10000-01-01"]}}`,
		`{"model":{"name":"m","version":"1"}}`, `{"model":{"name":"m"}}`, `{"model":{"name":"m","version":"1","x":1}}`,
		`{"service":"s","entities":{"k":[[[[]]]]}}`, `{}`, `[`, `{"entities":{"k":{"a":1}}}`, `{"service":"s","entities":{"k":[1,]}}`,
		`{"service":"s","entities":{"k":[9223372036854775807,-9223372036854775808,9223372036854775808,1e400,1.0,-0]}}`,
		`{"service":"s","service":"t"}`, `{"service":"s"} {}`, `{"service":"s","entities":{}}`, `{"Service":"s"}`, `{"service":null,"features":["a.b"]}`,
		`{"service":"\ud800","entities":{"\ud800":["\ud800"]}}`, "\ufeff{}", `{"service":"s","entities":{"k":[` + strings.Repeat("1,", 1000) + `1]}}`,
		strings.Repeat(`{"entities":`, 50), strings.Repeat("[", 20000), `{"service":"s","entities":{"k":` + strings.Repeat("[", 20000),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var req *jsonRequest
		var err error
		alloctest.AtMost(t, 40*len(body), func() { req, err = decodeRequest(body) })
		if err != nil {
			if r := server.Refuse(t.Context(), err); r.Name != "INVALID_ARGUMENT" {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		var oracle struct {
			Service  *string                    `json:"service"`
			Model    fstore.ModelRef            `json:"model"`
			Features []string                   `json:"features"`
			Entities map[string]json.RawMessage `json:"entities"`
			Events   bool                       `json:"event_timestamps"`
		}
		if err := json.Unmarshal(body, &oracle); err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		service := ""
		if oracle.Service != nil {
			service = *oracle.Service
		}
		if req.service != service || req.model != oracle.Model || fmt.Sprintf("%q", req.features) != fmt.Sprintf("%q", oracle.Features) || len(req.entities) != len(oracle.Entities) || (req.events == online.WithEventTimes) != oracle.Events {
			t.Fatalf("%q was read as %+v", body, req)
		}
		for _, e := range req.entities {
			if string(oracle.Entities[e.Name]) != string(e.Values) {
				t.Fatalf("%q: column %q was read as %q", body, e.Name, e.Values)
			}
		}
		for _, typ := range columntest.Types() {
			readsAs(t, req, typ, len(body))
		}
	})
}

// readsAs reads the columns of a body of n bytes as a type, as keys or, if no key has it, as request columns: as many rows as there are values, each as AppendJSON
// writes it again.
func readsAs(t *testing.T, req *jsonRequest, typ fstore.Type, n int) {
	t.Helper()
	var fields []fstore.Field
	for _, e := range req.entities {
		fields = append(fields, fstore.Field{Name: e.Name, Type: typ})
	}
	target := &server.Target{Keys: fields}
	if !typ.IsKey() {
		target = &server.Target{Request: fields}
	}
	var columns []fstore.Column
	var err error
	alloctest.AtMost(t, 100*n, func() { columns, err = req.columns(target, 1000) })
	if err != nil {
		if name := server.Refuse(t.Context(), err).Name; name != "INVALID_ARGUMENT" && name != "RESOURCE_EXHAUSTED" {
			t.Errorf("%v", err)
		}
		return
	}
	for i := range columns {
		var values []json.RawMessage
		if err := json.Unmarshal(req.entities[i].Values, &values); err != nil {
			t.Fatalf("column %q was taken: %v", req.entities[i].Values, err)
		}
		if columns[i].Type != typ || columns[i].Len > 1000 || columns[i].Len != len(values) {
			t.Fatalf("%d values, and column %d has %d rows of %s", len(values), i, columns[i].Len, columns[i].Type)
		}
		again := fstore.NewColumn("", typ, 1)
		if err := bodies.Values(&again, columns[i].AppendValuesJSON(nil), 1000, (*fstore.Column).AppendParsed); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(columntest.Rows(&columns[i]), columntest.Rows(&again)); diff != "" {
			t.Fatal(diff)
		}
	}
}
