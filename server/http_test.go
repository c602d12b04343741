package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/feast"
)

func (w *world) post(t *testing.T, body string) (int, []byte) {
	t.Helper()
	return w.call(t, http.MethodPost, "/v1/online-features", body)
}

// call asks the port that a path belongs to.
func (w *world) call(t *testing.T, method, path, body string) (int, []byte) {
	t.Helper()
	return callAt(t, &w.asks, w.portOf(path), method, path, body)
}

// portOf returns http://host:port of the port that answers a path.
func (w *world) portOf(path string) string {
	if strings.HasPrefix(path, "/v1/") || path == feast.Path {
		return w.web
	}
	return w.metrics
}

func callAt(t *testing.T, client *http.Client, at, method, path, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, at+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

// indented returns JSON in a form that diffs well.
func indented(t *testing.T, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", " "); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return strings.TrimSpace(out.String())
}

func TestPostOnlineFeatures(t *testing.T) {
	w := shop(t, nil)
	code, got := w.post(t, `{"service":"both","entities":{"customer_id":[1,2.0,3,null]},"event_timestamps":true}`)
	if code != http.StatusOK {
		t.Fatalf("got %d %s", code, got)
	}
	want := `{"entities":{"customer_id":[1,2,3,null]},"features":[
		{"name":"value","type":"float64","values":[10.5,null,null,null],"statuses":["PRESENT","NULL_VALUE","OUTSIDE_MAX_AGE","NOT_FOUND"],
		 "event_timestamps":["2026-03-01T11:00:00Z","2026-03-01T11:00:00Z","2026-01-29T12:00:00Z",null]},
		{"name":"lines","type":"int64","values":[3,0,0,0],"statuses":["PRESENT","NULL_VALUE","OUTSIDE_MAX_AGE","NOT_FOUND"],
		 "event_timestamps":["2026-03-01T11:00:00Z","2026-03-01T11:00:00Z","2026-01-29T12:00:00Z",null]},
		{"name":"holiday","type":"bool","values":[true,true,true,true],
		 "event_timestamps":["2026-03-01T11:00:00Z","2026-03-01T11:00:00Z","2026-03-01T11:00:00Z","2026-03-01T11:00:00Z"]}],
		"versions":[{"view":"orders","version":1,"generation":"0000060100000000","published":"2026-03-01T11:50:00Z"},
		 {"view":"today","version":1,"generation":"0000050100000000","published":"2026-03-01T11:59:00Z"}],
		"service":{"name":"both","version":1}}`
	if diff := cmp.Diff(indented(t, []byte(want)), indented(t, got)); diff != "" {
		t.Errorf("answer differs (-want +got):\n%s", diff)
	}
}

func TestPostFeaturesByReference(t *testing.T) {
	w := shop(t, nil)
	code, got := w.post(t, ` { "features" : ["today.holiday=free"] , "entities": {} } `)
	want := `{"entities":{},"features":[{"name":"free","type":"bool","values":[true]}],
		"versions":[{"view":"today","version":1,"generation":"0000050100000000","published":"2026-03-01T11:59:00Z"}]}`
	if diff := cmp.Diff(indented(t, []byte(want)), indented(t, got)); code != 200 || diff != "" {
		t.Errorf("got %d (-want +got):\n%s", code, diff)
	}
}

func TestBadBodies(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.MaxRequestBytes = 10_000 })
	w.store.Limits = online.Limits{MaxRows: 5, MaxFeatures: 3}
	const shape = `such as {"service":"churn","entities":{"customer_id":[17850]}}`
	const fields = "the fields are service, model, features, entities and event_timestamps"
	const utf8Hint = "write the text in UTF-8"
	const surrogateHint = `write the character itself, or both halves: \ud83d\ude00`
	for _, c := range []struct {
		name, body    string
		status        int
		code          string
		message, hint string
	}{
		{"empty", ``, 400, "INVALID_ARGUMENT", "the JSON ends too early", shape},
		{"cut", `{"service":"churn"`, 400, "INVALID_ARGUMENT", "the JSON ends too early", shape},
		{"garbage", "\x00\xff\xfe", 400, "INVALID_ARGUMENT", "byte 2: 0xff is not UTF-8", utf8Hint},
		{"not a character", `{"service":"churn","entities":{"customer_id":["\ud800"]}}`, 400, "INVALID_ARGUMENT", `byte 48: \ud800 is half of a surrogate pair, not a character`, surrogateHint},
		{"a name that is not a character", `{"service":"\udc00"}`, 400, "INVALID_ARGUMENT", `byte 13: \udc00 is half of a surrogate pair, not a character`, surrogateHint},
		{"a model that is not UTF-8", "{\"model\":{\"name\":\"fraud\",\"version\":\"\xff\"}}", 400, "INVALID_ARGUMENT", "byte 37: 0xff is not UTF-8", utf8Hint},
		{"a column that is not UTF-8", "{\"service\":\"churn\",\"entities\":{\"\xc3\":[1]}}", 400, "INVALID_ARGUMENT", "byte 33: 0xc3 is not UTF-8", utf8Hint},
		{"not JSON", "\x00\x01", 400, "INVALID_ARGUMENT", "not JSON at byte 0: invalid character '\\x00' looking for beginning of value", shape},
		{"a list", `[1]`, 400, "INVALID_ARGUMENT", "not an object", shape},
		{"null", `null`, 400, "INVALID_ARGUMENT", "not an object", shape},
		{"more after", `{"service":"churn"} {}`, 400, "INVALID_ARGUMENT", "there is more after the JSON object, at byte 21", ""},
		{"unknown fields", `{"service":"churn","entity":{},"modle":"m"}`, 400, "INVALID_ARGUMENT", "the request has unknown fields: entity, modle", fields},
		{"case matters", `{"Service":"churn"}`, 400, "INVALID_ARGUMENT", "the request has unknown fields: Service", fields},
		{"field twice", `{"service":"churn","service":"both"}`, 400, "INVALID_ARGUMENT", `"service" is there twice`, ""},
		{"column twice", `{"service":"churn","entities":{"customer_id":[1],"customer_id":[2]}}`, 400, "INVALID_ARGUMENT", `entities: "customer_id" is there twice`, ""},
		{"nothing named", `{"entities":{"customer_id":[1]}}`, 400, "INVALID_ARGUMENT", "the request must name one of a service, a model and features", ""},
		{"both named", `{"service":"churn","features":["orders.value"]}`, 400, "INVALID_ARGUMENT", "the request must name one of a service, a model and features", ""},
		{"no features", `{"features":[]}`, 400, "INVALID_ARGUMENT", "the list of features is empty", "such as customer_orders.order_value, or customer_orders.*"},
		{"service is a number", `{"service":7}`, 400, "INVALID_ARGUMENT", "service is not a string", shape},
		{"service is null", `{"service":null}`, 400, "INVALID_ARGUMENT", "service is not a string", shape},
		{"features are numbers", `{"features":[7]}`, 400, "INVALID_ARGUMENT", "features is not a list of strings", shape},
		{"flag is a word", `{"service":"churn","event_timestamps":"yes"}`, 400, "INVALID_ARGUMENT", "event_timestamps is not true or false", shape},
		{"flag is null", `{"service":"churn","event_timestamps":null}`, 400, "INVALID_ARGUMENT", "event_timestamps is not true or false", shape},
		{"entities are rows", `{"service":"churn","entities":[{"customer_id":1}]}`, 400, "INVALID_ARGUMENT", "entities: not an object", shape},
		{"column is a value", `{"service":"churn","entities":{"customer_id":1}}`, 400, "INVALID_ARGUMENT", "key column customer_id: not a list of values", shape},
		{"value of a wrong type", `{"service":"churn","entities":{"customer_id":[1,"2"]}}`, 400, "INVALID_ARGUMENT", `key column customer_id, row 2: "2" is not an int64`, ""},
		{"value that is not an integer", `{"service":"churn","entities":{"customer_id":[1.5]}}`, 400, "INVALID_ARGUMENT", `key column customer_id, row 1: 1.5 is not an int64`, ""},
		{"value too large", `{"service":"churn","entities":{"customer_id":[1,2,9223372036854775808]}}`, 400, "INVALID_ARGUMENT", `key column customer_id, row 3: 9223372036854775808 is not an int64`, ""},
		{"unknown column", `{"service":"churn","entities":{"typo":["x"]}}`, 400, "INVALID_ARGUMENT", "unknown key column typo", "the key columns are customer_id"},
		{"missing column", `{"service":"churn"}`, 400, "INVALID_ARGUMENT", "key column customer_id is missing", ""},
		{"too many rows", `{"service":"churn","entities":{"customer_id":[1,2,3,4,5,6]}}`, 413, "RESOURCE_EXHAUSTED", "key column customer_id: more than 5 rows of keys", "ask for fewer rows at a time"},
		{"too many features", `{"features":["a.a","a.b","a.c","a.d"]}`, 413, "RESOURCE_EXHAUSTED", "4 features; the limit is 3", ""},
		{"too large", `{"service":"` + strings.Repeat("x", 20_000) + `"}`, 413, "RESOURCE_EXHAUSTED", "the body has more than 10000 bytes", "ask for fewer rows at a time"},
		{"unknown service", `{"service":"nope"}`, 404, "NOT_FOUND", `there is no service "nope"`, "run: fstore list"},
		{"not published", `{"service":"early","entities":{"customer_id":[1]}}`, 409, "FAILED_PRECONDITION", "early@1: not published in the online store", "run: fstore materialize early@1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := w.post(t, c.body)
			var got, want struct {
				Error struct{ Code, Message, Hint string }
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			want.Error.Code, want.Error.Message, want.Error.Hint = c.code, c.message, c.hint
			if diff := cmp.Diff(want, got); status != c.status || diff != "" {
				t.Errorf("got status %d, want %d (-want +got):\n%s", status, c.status, diff)
			}
		})
	}
}

func TestAnswerOfTooMuchJSONIsRefused(t *testing.T) {
	w := shop(t, nil)
	body := `{"service":"churn","entities":{"customer_id":[1,2,3,4,5]}}`
	_, whole := w.post(t, body)
	w.store.Limits.MaxAnswerBytes = 300 // the look-up's own count is below
	code, got := w.post(t, body)
	if code != 413 || !containsText(got, "more than 300 bytes of JSON") || len(whole) < 300 {
		t.Errorf("got %d %s", code, got)
	}
}

func TestPathsAndMethods(t *testing.T) {
	w := shop(t, func(o *server.Options) { o.Metrics = "m:1" })
	for _, c := range []struct {
		at, method, path string
		status           int
		text             string
	}{
		{w.web, "GET", "/v1/online-features", 405, "the method must be POST"},
		{w.web, "GET", "/", 404, "there is nothing at this path"},
		{w.web, "POST", "/v1/nope", 404, "there is nothing at this path"},
		{w.web, "GET", "/healthz", 404, "health and metrics have a port of their own"},
		{w.web, "GET", "/readyz", 404, "GET /readyz at the address of serve.metrics m:1"},
		{w.web, "GET", "/metrics", 404, "GET /metrics at the address of serve.metrics m:1"},
		{w.metrics, "GET", "/healthz", 200, "ok\n"},
		{w.metrics, "GET", "/readyz", 200, "ready\n"},
		{w.metrics, "GET", "/metrics", 200, "fstore_build_info"},
		{w.metrics, "GET", "/", 404, "there is nothing at this path"},
		{w.metrics, "POST", "/v1/online-features", 404, "look-ups have a port of their own (serve.http)"},
		{w.metrics, "POST", "/metrics", 404, "there is nothing at this path"},
	} {
		status, body := callAt(t, &w.asks, c.at, c.method, c.path, "")
		if status != c.status || !containsText(body, c.text) {
			t.Errorf("%s %s: got %d %s, want %d %s", c.method, c.path, status, body, c.status, c.text)
		}
	}
}

func TestReadyOnceACatalogIsLoaded(t *testing.T) {
	w := newWorld(t, nil).start(t)
	if status, body := w.call(t, "GET", "/readyz", ""); status != 503 {
		t.Errorf("before: got %d %s", status, body)
	}
	if status, body := w.post(t, `{"service":"churn"}`); status != 503 || !containsText(body, "has not read the registry yet") {
		t.Errorf("before: got %d %s", status, body)
	}
	if status, _ := w.call(t, "GET", "/healthz", ""); status != 200 {
		t.Errorf("healthz before: got %d", status)
	}
	w.book.Set(page{})
	w.refresh()
	if status, body := w.call(t, "GET", "/readyz", ""); status != 200 {
		t.Errorf("after: got %d %s", status, body)
	}
}
