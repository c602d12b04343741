package system

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/test/program"
)

// shopFolder is a shop over SQLite, published at the first of December, made once for all who take a copy.
var shopFolder = sync.OnceValue(func() string {
	dir := filepath.Join(filepath.Dir(built), "shop")
	for _, args := range [][]string{{"init", dir}, {"apply", "--yes", "--repo", dir}, {"materialize", "--leak-check", "off", "--to", "2025-12-01", "--repo", dir}} {
		cmd := exec.Command(built, args...)
		cmd.Env = program.Environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("fstore %v: %v\n%s", args, err, out))
		}
	}
	return dir
})

// copiedShop returns the shop over SQLite, published at the first of December.
func copiedShop(t testing.TB) *repo {
	t.Helper()
	r := newRepo(t, "")
	if err := os.CopyFS(r.dir, os.DirFS(shopFolder())); err != nil {
		t.Fatal(err)
	}
	return r
}

// servedShop returns a server of copiedShop.
func servedShop(t testing.TB) (*repo, *served) {
	t.Helper()
	r := copiedShop(t)
	return r, r.serve()
}

// within is the longest that a wrong request may take on a busy machine.
const within = 10 * time.Second

// unharmed fails the test where a server has logged a fault of its own, or does not answer as before.
func unharmed(t testing.TB, s *served, want *fstorev1.GetOnlineFeaturesResponse) {
	t.Helper()
	right(t, s, want)
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, "code=DEADLINE_EXCEEDED") && !strings.Contains(line, "code=RESOURCE_EXHAUSTED") && !strings.Contains(line, "metrics could not be shown") || strings.Contains(line, "panic") || strings.Contains(line, "goroutine ") {
			t.Errorf("the log has\n%.2000s", line)
		}
	}
}

func column(name string, kind any) *fstorev1.Column {
	c := &fstorev1.Column{Name: name}
	switch v := kind.(type) {
	case []int64:
		c.Type, c.Int64Values = "int64", v
	case []int32:
		c.Int32Values = v
	case []float64:
		c.Float64Values = v
	case []string:
		c.StringValues = v
	case nil:
	default:
		panic("no such kind")
	}
	return c
}

func ofService(name string, columns ...*fstorev1.Column) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: name}, Entities: columns}
}

func ofFeatures(refs []string, columns ...*fstorev1.Column) *fstorev1.GetOnlineFeaturesRequest {
	return &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Features{Features: &fstorev1.FeatureRefs{Refs: refs}}, Entities: columns,
	}
}

// manyNames are n features of one view, each under another name.
func manyNames(n int) []string {
	refs := make([]string, n)
	for i := range refs {
		refs[i] = fmt.Sprintf("customer_orders.order_value=v%d", i)
	}
	return refs
}

func TestWrongRequestsOverGRPC(t *testing.T) {
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	one := []int64{12003}
	valid := func(c *fstorev1.Column, bits ...byte) *fstorev1.Column { c.Validity = bits; return c }
	for _, c := range []struct {
		name string
		req  *fstorev1.GetOnlineFeaturesRequest
		code codes.Code
		says []string
	}{
		{"nothing at all", &fstorev1.GetOnlineFeaturesRequest{}, codes.InvalidArgument, []string{"the request must name"}},
		{"an unknown service", ofService("chrn", column("customer_id", one)), codes.NotFound, []string{`"chrn"`, `did you mean "churn"?`}},
		{"no name of a service", ofService("", column("customer_id", one)), codes.NotFound, []string{`""`, "known: activity, churn, payment, recommend"}},
		{"a service of a megabyte", ofService(strings.Repeat("x", 1<<20), column("customer_id", one)), codes.NotFound, []string{"xxx"}},
		{"an unknown view", ofFeatures([]string{"customer_ordrs.order_value"}, column("customer_id", one)), codes.NotFound, []string{"customer_ordrs", `did you mean "customer_orders"?`}},
		{"an unknown feature", ofFeatures([]string{"customer_orders.order_vale"}, column("customer_id", one)), codes.NotFound, []string{"order_vale", `did you mean "order_value"?`}},
		{"an unknown version", ofFeatures([]string{"customer_orders@9.order_value"}, column("customer_id", one)), codes.NotFound, []string{"customer_orders@9", "fstore show customer_orders"}},
		{"no feature", ofFeatures(nil, column("customer_id", one)), codes.InvalidArgument, []string{"the list of features is empty"}},
		{"what is no reference", ofFeatures([]string{"customer_orders"}, column("customer_id", one)), codes.InvalidArgument, []string{`"customer_orders"`, "view.feature"}},
		{"a name twice", ofFeatures([]string{"customer_orders.*", "customer_orders.order_value"}, column("customer_id", one)), codes.InvalidArgument, []string{"two features are named order_value"}},
		{"no key", ofService("churn"), codes.InvalidArgument, []string{"key column customer_id is missing"}},
		{"one key of two", ofService("recommend", column("customer_id", one)), codes.InvalidArgument, []string{"key column stock_code is missing"}},
		{"an unknown key", ofService("churn", column("customer_id", one), column("stock_kode", []string{"a"})), codes.InvalidArgument, []string{"unknown key column stock_kode", "customer_id"}},
		{"a key twice", ofService("churn", column("customer_id", one), column("customer_id", one)), codes.InvalidArgument, []string{"customer_id is given twice"}},
		{"a key that none needs", ofFeatures([]string{"shop.*"}, column("customer", one)), codes.InvalidArgument, []string{"these features have no keys"}},
		{"different lengths", ofService("recommend", column("customer_id", []int64{1, 2}), column("stock_code", []string{"a"})), codes.InvalidArgument, []string{"stock_code has 1 rows, not 2"}},
		{"a string for a number", ofService("churn", column("customer_id", []string{"12003"})), codes.InvalidArgument, []string{"customer_id is string, not int64"}},
		{"a double for a number", ofService("churn", column("customer_id", []float64{12003})), codes.InvalidArgument, []string{"customer_id is float64, not int64"}},
		{"a number for a string", ofService("recommend", column("customer_id", one), column("stock_code", one)), codes.InvalidArgument, []string{"stock_code is int64, not string"}},
		{"no values", ofService("churn", column("customer_id", nil)), codes.InvalidArgument, []string{`"customer_id": it has no values set`}},
		{"values of two types", ofService("churn", &fstorev1.Column{Name: "customer_id", Int64Values: one, StringValues: []string{"a"}}), codes.InvalidArgument, []string{"values of more than one type"}},
		{"values of another type than it says", ofService("churn", &fstorev1.Column{Name: "customer_id", Type: "string", Int64Values: one}), codes.InvalidArgument, []string{"its type is string and its values are int64_values"}},
		{"too short a validity", ofService("churn", valid(column("customer_id", make([]int64, 9)), 1)), codes.InvalidArgument, []string{"its validity has 1 bytes, want 2 for 9 rows"}},
		{"too long a validity", ofService("churn", valid(column("customer_id", one), 1, 0)), codes.InvalidArgument, []string{"its validity has 2 bytes, want 1 for 1 rows"}},
		{"a list for a key", ofService("churn", &fstorev1.Column{Name: "customer_id", Int64Values: one, Offsets: []int32{0, 1}}), codes.InvalidArgument, []string{"customer_id is list<int64>, not int64"}},
		{"offsets that fall", ofService("churn", &fstorev1.Column{Name: "customer_id", Int64Values: one, Offsets: []int32{0, 5, -1}}), codes.InvalidArgument, []string{"offset 1 of its lists is wrong"}},
		{"too many rows", ofService("churn", column("customer_id", make([]int64, 10_001))), codes.ResourceExhausted, []string{"10001 rows of keys; the limit is 10000"}},
		{"too many features", ofFeatures(manyNames(2001), column("customer_id", one)), codes.ResourceExhausted, []string{"2001 features; the limit is 2000"}},
		{"too large an answer", ofFeatures(manyNames(2000), column("customer_id", make([]int64, 10_000))), codes.ResourceExhausted, []string{"an answer of at least 180000000 bytes", "the limit is 33554432", "ask for fewer rows or features"}},
		{"too large a request", ofService("churn", column("customer_id", one), column("stock_code", []string{strings.Repeat("x", 5<<20)})), codes.ResourceExhausted, []string{"4194304"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), within)
			defer cancel()
			answer, err := s.client.GetOnlineFeatures(ctx, c.req, grpc.MaxCallRecvMsgSize(64<<20))
			if status.Code(err) != c.code {
				t.Fatalf("got %v, %v, want %v", answer, err, c.code)
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%.500q does not say %q", err, says)
				}
			}
			if n := len(err.Error()); n > 2500 {
				t.Errorf("the message has %d bytes", n)
			}
		})
	}
	for name, call := range map[string]func(context.Context) error{
		"a method that there is not": func(ctx context.Context) error {
			return s.conn.Invoke(ctx, "/fstore.v1.FeatureStore/Nope", churnRequest(1), &fstorev1.GetOnlineFeaturesResponse{})
		},
		"a service that there is not": func(ctx context.Context) error {
			return s.conn.Invoke(ctx, "/nope.Nope/Nope", churnRequest(1), &fstorev1.GetOnlineFeaturesResponse{})
		},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		if err := call(ctx); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	unharmed(t, s, want)
}

// Requests that look strange and are right.
func TestStrangeRequestsThatAreRight(t *testing.T) {
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	null := column("customer_id", []int64{12003, 12003, 12003})
	null.Validity = []byte{0xfd} // bits behind the last row say nothing
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	a, err := s.client.GetOnlineFeatures(ctx, ofService("churn", null))
	if err != nil || string(a.Features[0].Statuses) != "\x00\x02\x00" || a.Features[0].Float64Values[2] != 77.58 {
		t.Errorf("a null key: %v, %v", a, err)
	}
	if a, err = s.client.GetOnlineFeatures(ctx, ofService("churn", column("customer_id", []int32{12003}))); err != nil || a.Features[0].Float64Values[0] != 77.58 {
		t.Errorf("an int32 for an int64: %v, %v", a, err)
	}
	if a, err = s.client.GetOnlineFeatures(ctx, ofService("churn", column("customer_id", []int64{}))); err != nil || a.Rows != 0 || len(a.Features) != 9 {
		t.Errorf("no rows: %v, %v", a, err)
	}
	huge := []string{strings.Repeat("x", 1<<20), strings.Repeat("\x00", 1<<20), "", "P10007"}
	if a, err = s.client.GetOnlineFeatures(ctx, ofFeatures([]string{"product_price.price"}, column("stock_code", huge))); err != nil || string(a.Features[0].Statuses) != "\x02\x02\x02\x00" {
		t.Errorf("keys of a megabyte: %v, %v", a, err)
	}
	if a, err = s.client.GetOnlineFeatures(ctx, ofService("churn", column("customer_id", make([]int64, 10_000)))); err != nil || a.Rows != 10_000 {
		t.Errorf("as many rows as are allowed: %v, %v", a.GetRows(), err)
	}
	unknown, err := proto.Marshal(churnRequest(12003, 12012, 99999))
	if err != nil {
		t.Fatal(err)
	}
	raw := &fstorev1.GetOnlineFeaturesRequest{}
	if err := proto.Unmarshal(append(unknown, 0xfa, 0x3f, 3, 'x', 'y', 'z'), raw); err != nil { // field 1023, of a later version
		t.Fatal(err)
	}
	if a, err = s.client.GetOnlineFeatures(ctx, raw); err != nil || !proto.Equal(a, want) {
		t.Errorf("a field that is not known: %v, %v", a, err)
	}
	unharmed(t, s, want)
}

// send does one HTTP request and returns what came back.
func send(t testing.TB, s *served, method, path, body string, header ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(text)
}

func TestWrongRequestsOverHTTP(t *testing.T) {
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	const keys = `"entities":{"customer_id":[12003]}`
	names := `"` + strings.Join(manyNames(2000), `","`) + `"`
	for _, c := range []struct {
		body string
		code int
		says []string
	}{
		{``, 400, []string{"the JSON ends too early", "such as"}},
		{`{`, 400, []string{"the JSON ends too early"}},
		{`{"service":"churn",` + keys, 400, []string{"the JSON ends too early"}},
		{`null`, 400, []string{"not an object"}},
		{`[]`, 400, []string{"not an object"}},
		{`{'service':'churn'}`, 400, []string{"not JSON at byte 1"}},
		{"\xef\xbb\xbf{}", 400, []string{"not JSON at byte 0"}},
		{"\x1f\x8b\x08\x00\x00\x00", 400, []string{"byte 2: 0x8b is not UTF-8"}},
		{`{"service":"churn",` + keys + `} x`, 400, []string{"there is more after the JSON object"}},
		{`{"service":"churn",` + keys + `}{}`, 400, []string{"there is more after the JSON object"}},
		{`{}`, 400, []string{"the request must name"}},
		{`{"service":"churn","features":["a.b"],` + keys + `}`, 400, []string{"the request must name"}},
		{`{"Service":"churn",` + keys + `}`, 400, []string{"unknown fields: Service", "the fields are service, "}},
		{`{"service":"churn","service":"churn",` + keys + `}`, 400, []string{"is there twice"}},
		{`{"service":"churn","entities":{"customer_id":[1],"customer_id":[1]}}`, 400, []string{"entities", "is there twice"}},
		{`{"service":null,` + keys + `}`, 400, []string{"service is not a string"}},
		{`{"service":7,` + keys + `}`, 400, []string{"service is not a string"}},
		{`{"features":"a.b",` + keys + `}`, 400, []string{"features is not a list of strings"}},
		{`{"features":[7],` + keys + `}`, 400, []string{"features is not a list of strings"}},
		{`{"service":"churn","event_timestamps":1,` + keys + `}`, 400, []string{"event_timestamps is not true or false"}},
		{`{"service":"chrn",` + keys + `}`, 404, []string{"NOT_FOUND", `did you mean \"churn\"?`}},
		{`{"features":["customer_orders.order_valu"],` + keys + `}`, 404, []string{`did you mean \"order_value\"?`}},
		{`{"service":"churn"}`, 400, []string{"key column customer_id is missing"}},
		{`{"service":"churn","entities":[]}`, 400, []string{"entities: not an object"}},
		{`{"service":"churn","entities":{"customer_id":12003}}`, 400, []string{"key column customer_id: not a list of values"}},
		{`{"service":"churn","entities":{"customer_id":[[12003]]}}`, 400, []string{"customer_id, row 1: [12003] is not an int64"}},
		{`{"service":"churn","entities":{"customer_id":[1,"12003"]}}`, 400, []string{`customer_id, row 2: \"12003\" is not an int64`}},
		{`{"service":"churn","entities":{"customer_id":[1.5]}}`, 400, []string{"row 1: 1.5 is not an int64"}},
		{`{"service":"churn","entities":{"customer_id":[9223372036854775808]}}`, 400, []string{"row 1: 9223372036854775808 is not an int64"}},
		{`{"service":"churn","entities":{"customer_id":[-1e400]}}`, 400, []string{"row 1: -1e400 is not an int64"}},
		{`{"service":"churn","entities":{"customer_id":[9007199254740993.0]}}`, 400, []string{"row 1: 9007199254740993.0 is not an int64"}}, // not a double's
		{`{"service":"churn","entities":{"customer_id":[01]}}`, 400, []string{"not JSON"}},
		{`{"service":"churn","entities":{"customer_id":[1],"stock_kode":["a"]}}`, 400, []string{"unknown key column stock_kode"}},
		{`{"service":"recommend","entities":{"customer_id":[1,2],"stock_code":["a"]}}`, 400, []string{"stock_code has 1 rows, not 2"}},
		{`{"service":"churn","entities":{"customer_id":[` + strings.Repeat("0,", 10_000) + `0]}}`, 413, []string{"RESOURCE_EXHAUSTED", "more than 10000 rows"}},
		{`{"features":[` + names + `,"customer_orders.order_value"],` + keys + `}`, 413, []string{"2001 features; the limit is 2000"}},
		{`{"features":[` + names + `],"entities":{"customer_id":[` + strings.Repeat("0,", 9_999) + `0]}}`, 413, []string{"an answer of at least 180000000 bytes", "the limit is 33554432"}},
		{`{"service":"` + strings.Repeat("x", 5<<20) + `"}`, 413, []string{"the body has more than 4194304 bytes", "ask for fewer rows"}},
		{`{"service":"churn","entities":` + strings.Repeat("[", 1<<20), 400, []string{"more than 16 deep"}},
		{`{"service":"churn","entities":` + strings.Repeat(`{"a":`, 1<<18), 400, []string{"more than 16 deep"}},
	} {
		name := c.body[:min(60, len(c.body))]
		code, text := send(t, s, "POST", "/v1/online-features", c.body)
		if code != c.code || !strings.HasPrefix(text, `{"error":{"code":"`) {
			t.Errorf("%s: got %d %.500s, want %d", name, code, text, c.code)
		}
		for _, says := range c.says {
			if !strings.Contains(text, says) {
				t.Errorf("%s: %.500s does not say %q", name, text, says)
			}
		}
		if len(text) > 5000 {
			t.Errorf("%s: an error of %d bytes", name, len(text))
		}
	}
	good := `{"service":"churn",` + keys + `}`
	for _, c := range []struct {
		method, path string
		header       []string
		code         int
		says         string
	}{
		{"GET", "/v1/online-features", nil, 405, "the method must be POST"},
		{"PUT", "/v1/online-features", nil, 405, "the method must be POST"},
		{"DELETE", "/v1/online-features", nil, 405, "the method must be POST"},
		{"NONSENSE", "/v1/online-features", nil, 405, "the method must be POST"},
		{"POST", "/v1/online-features/", nil, 404, "there is nothing at this path"},
		{"POST", "/v2/online-features", nil, 404, "there is nothing at this path"},
		{"POST", "/fstore.v1.FeatureStore/GetOnlineFeatures", nil, 404, "there is nothing at this path"},
		{"GET", "/", nil, 404, "there is nothing at this path"},
		{"GET", "/%2e%2e/etc/passwd", nil, 404, "there is nothing at this path"},
		{"POST", "/metrics", nil, 404, "there is nothing at this path"},
		{"POST", "/v1/online-features", []string{"Content-Encoding", "gzip"}, 400, "the body is encoded as gzip"},
		{"POST", "/v1/online-features", []string{"Content-Type", "text/xml"}, 415, "send Content-Type: application/json"},
		{"POST", "/v1/online-features", []string{"Content-Type", "application/json; charset=utf-8"}, 200, "77.58"},
		{"POST", "/v1/online-features", []string{"X-Huge", strings.Repeat("x", 2<<20)}, 431, ""},
	} {
		code, text := send(t, s, c.method, c.path, good, c.header...)
		if code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s %s %.40q: got %d %.300s, want %d %s", c.method, c.path, c.header, code, text, c.code, c.says)
		}
	}
	unharmed(t, s, want)
}
