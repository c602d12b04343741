package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/servertest"
)

// locked returns a started world of a shop that asks for a credential, and a token for each text of grants. A text that
// ends with "expired" is of a token that has.
func locked(t testing.TB, change func(*server.Options), grants ...string) (*world, []string) {
	t.Helper()
	var secrets []string
	var list []access.Token
	for _, text := range grants {
		token, digest := access.NewToken()
		one := access.Token{Name: "caller" + string(rune('a'+len(list))), Digest: digest}
		for word := range strings.FieldsSeq(text) {
			if word == "expired" {
				one.Expires = now
				continue
			}
			g, err := access.ParseGrant(word)
			if err != nil {
				t.Fatal(err)
			}
			one.Grants = append(one.Grants, g)
		}
		secrets, list = append(secrets, token), append(list, one)
	}
	control, err := access.New(t.Context(), access.Options{
		Clock: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
		Tokens: &access.Text[[]access.Token]{
			Read:  func(context.Context) ([]byte, error) { return nil, nil },
			Parse: func([]byte) ([]access.Token, error) { return list, nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return shop(t, func(o *server.Options) {
		o.Access, o.Project = control, "shop"
		if change != nil {
			change(o)
		}
	}), secrets
}

// withToken returns a context whose calls carry a token.
func withToken(token string) context.Context {
	if token == "" {
		return context.Background()
	}
	return metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
}

// ask posts a request with authorization headers.
func (w *world) ask(t testing.TB, method, path, body string, authorization ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, w.portOf(path)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, a := range authorization {
		r.Header.Add("Authorization", a)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

func TestGrantsDecideOverBothProtocols(t *testing.T) {
	w, tokens := locked(t, nil, "online:read@shop", "online:read@shop/service:churn online:read@shop/model:fraud", "offline:read@shop online:read@other")
	stranger, _ := access.NewToken()
	all, churn, elsewhere := tokens[0], tokens[1], tokens[2]
	requests := map[string]struct {
		grpc *fstorev1.GetOnlineFeaturesRequest
		json string
	}{
		"churn":  {byService("churn", int64s("customer_id", 1)), `{"service":"churn","entities":{"customer_id":[1]}}`},
		"both":   {byService("both", int64s("customer_id", 1)), `{"service":"both","entities":{"customer_id":[1]}}`},
		"nope":   {byService("nope", int64s("customer_id", 1)), `{"service":"nope","entities":{"customer_id":[1]}}`},
		"refs":   {byRefs([]string{"orders.value"}, int64s("customer_id", 1)), `{"features":["orders.value"],"entities":{"customer_id":[1]}}`},
		"fraud3": {byModel("fraud", "3"), `{"model":{"name":"fraud","version":"3"}}`},
		"other1": {byModel("other", "1"), `{"model":{"name":"other","version":"1"}}`},
	}
	for _, c := range []struct {
		who, token, what string
		grpc             codes.Code
		http             int
	}{
		{"all", all, "churn", codes.OK, 200},
		{"all", all, "refs", codes.OK, 200},
		{"all", all, "nope", codes.NotFound, 404},
		{"all", all, "fraud3", codes.NotFound, 404},
		{"churn", churn, "churn", codes.OK, 200},
		{"churn", churn, "both", codes.PermissionDenied, 403},
		{"churn", churn, "nope", codes.PermissionDenied, 403}, // and not that there is none
		{"churn", churn, "refs", codes.PermissionDenied, 403},
		{"churn", churn, "fraud3", codes.NotFound, 404}, // it may know
		{"churn", churn, "other1", codes.PermissionDenied, 403},
		{"elsewhere", elsewhere, "churn", codes.PermissionDenied, 403},
		{"elsewhere", elsewhere, "nope", codes.PermissionDenied, 403},
		{"stranger", stranger, "churn", codes.Unauthenticated, 401},
		{"nobody", "", "churn", codes.Unauthenticated, 401},
	} {
		t.Run(c.who+" asks for "+c.what, func(t *testing.T) {
			q := requests[c.what]
			_, err := w.client.GetOnlineFeatures(withToken(c.token), q.grpc)
			servertest.WantStatus(t, err, c.grpc, "")
			_, err = w.client.DescribeFeatures(withToken(c.token), describeOf(q.grpc))
			servertest.WantStatus(t, err, c.grpc, "")
			headers := []string{"Bearer " + c.token}
			if c.token == "" {
				headers = nil
			}
			code, body, header := w.ask(t, "POST", "/v1/online-features", q.json, headers...)
			if code != c.http {
				t.Errorf("HTTP: got %d %s, want %d", code, body, c.http)
			}
			if challenge := header.Get("WWW-Authenticate"); (code == 401) != (challenge == "Bearer") {
				t.Errorf("%d has WWW-Authenticate: %s", code, challenge)
			}
		})
	}
}

// describeOf returns the request to describe what another one looks up.
func describeOf(q *fstorev1.GetOnlineFeaturesRequest) *fstorev1.DescribeFeaturesRequest {
	d := &fstorev1.DescribeFeaturesRequest{}
	switch s := q.GetSelection().(type) {
	case *fstorev1.GetOnlineFeaturesRequest_Service:
		d.Selection = &fstorev1.DescribeFeaturesRequest_Service{Service: s.Service}
	case *fstorev1.GetOnlineFeaturesRequest_Features:
		d.Selection = &fstorev1.DescribeFeaturesRequest_Features{Features: s.Features}
	case *fstorev1.GetOnlineFeaturesRequest_Model:
		d.Selection = &fstorev1.DescribeFeaturesRequest_Model{Model: s.Model}
	}
	return d
}

// A denial is the same for a name that exists and for one that does not.
func TestADenialDoesNotTellWhichNamesThereAre(t *testing.T) {
	w, tokens := locked(t, nil, "online:read@shop/service:churn")
	messages := map[string]bool{}
	for _, name := range []string{"both", "nope"} {
		_, err := w.client.GetOnlineFeatures(withToken(tokens[0]), byService(name))
		servertest.WantStatus(t, err, codes.PermissionDenied, "the caller has no grant of online:read for service "+name)
		messages[strings.ReplaceAll(err.Error(), name, "NAME")] = true
	}
	if len(messages) != 1 {
		t.Errorf("%v", messages)
	}
}

// A caller with a restricted grant may know whether what it names exists, and no other names.
func TestAMistakeDoesNotTellOtherNames(t *testing.T) {
	w, tokens := locked(t, func(o *server.Options) { o.Catalog = hinting{o.Catalog} }, "online:read@shop/service:chur online:read@shop/model:frau", "online:read@shop")
	for token, want := range map[string]bool{tokens[0]: false, tokens[1]: true} {
		for _, q := range []*fstorev1.GetOnlineFeaturesRequest{byService("chur"), byModel("frau", "3")} {
			_, err := w.client.GetOnlineFeatures(withToken(token), q)
			servertest.WantStatus(t, err, codes.NotFound, "there is no")
			_, described := w.client.DescribeFeatures(withToken(token), describeOf(q))
			for _, err := range []error{err, described} {
				if got := strings.Contains(err.Error(), "secret"); got != want {
					t.Errorf("hint %v, want %v: %v", got, want, err)
				}
			}
		}
	}
}

// hinting is a catalog that suggests names, as the registry does.
type hinting struct{ server.Catalog }

func (h hinting) Load(ctx context.Context) (server.Names, error) {
	names, err := h.Catalog.Load(ctx)
	return suggesting{names}, err
}

type suggesting struct{ server.Names }

func (suggesting) Service(name string) (*fstore.FeatureList, error) {
	return nil, fstore.Errorf(fstore.ErrNotFound, "there is no service %q", name).WithHint("did you mean %q?", "secret")
}

func (suggesting) Model(ref fstore.ModelRef) (*fstore.FeatureList, error) {
	return nil, fstore.Errorf(fstore.ErrNotFound, "there is no model %s", ref).WithHint("known: secret")
}

func TestEveryMethodIsLockedExceptHealth(t *testing.T) {
	w, tokens := locked(t, nil, "online:read@shop")
	for _, token := range []string{"", tokens[0]} {
		want, wantHTTP := codes.Unauthenticated, 401
		if token != "" {
			want, wantHTTP = codes.OK, 404
		}
		stream, err := reflectionpb.NewServerReflectionClient(w.conn).ServerReflectionInfo(withToken(token))
		if err == nil {
			_ = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
			_, err = stream.Recv()
		}
		servertest.WantStatus(t, err, want, "")
		err = w.conn.Invoke(withToken(token), "/fstore.v1.FeatureStore/Nothing", &fstorev1.ModelRef{}, &fstorev1.ModelRef{})
		if token == "" {
			servertest.WantStatus(t, err, codes.Unauthenticated, "")
		} else {
			servertest.WantStatus(t, err, codes.Unimplemented, "")
		}
		if _, err := healthpb.NewHealthClient(w.conn).Check(withToken(token), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
		var headers []string
		if token != "" {
			headers = []string{"Bearer " + token}
		}
		if code, body, _ := w.ask(t, "GET", "/v1/nothing", "", headers...); code != wantHTTP {
			t.Errorf("got %d %s, want %d", code, body, wantHTTP)
		}
	}
}

// OPTIONS * is for no path, and net/http would answer it by itself.
func TestARequestForNoPathIsLocked(t *testing.T) {
	w, tokens := locked(t, nil, "online:read@shop")
	for credential, want := range map[string]string{"": "401", "Authorization: Bearer " + tokens[0] + "\r\n": "400"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.web, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+credential+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("%v, %s; want %s", err, answer, want)
		}
	}
}

// Who is refused is refused before the request has arrived: the message need not even be one.
func TestACallerIsRefusedByHeadersAlone(t *testing.T) {
	w, _ := locked(t, nil, "online:read@shop")
	stream, err := w.conn.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true}, fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing was sent, and the call is not over for the client.
	servertest.WantStatus(t, stream.RecvMsg(&fstorev1.GetOnlineFeaturesResponse{}), codes.Unauthenticated, "the request has no credential (send one header: authorization: Bearer TOKEN)")
	code, body, _ := w.ask(t, "POST", "/v1/online-features", strings.Repeat("x", 1<<20))
	if code != 401 || !strings.Contains(body, "has no credential") {
		t.Errorf("%d %s", code, body)
	}
}

func TestMalformedCredentialsAreNotRepeated(t *testing.T) {
	w, tokens := locked(t, nil, "online:read@shop")
	for _, headers := range [][]string{
		{"Bearer planted-secret"},
		{"Basic planted-secret"},
		{"planted-secret"},
		{"Bearer " + tokens[0], "Bearer " + tokens[0]},
		{"Bearer planted secret"},
		{"Bearer planted.secret.x"},
		{"Bearer fst_planted-secret"},
		{"Bearer " + strings.Repeat("planted", 1300)},
	} {
		ctx := context.Background()
		for _, h := range headers {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", h)
		}
		_, err := w.client.GetOnlineFeatures(ctx, byService("churn", int64s("customer_id", 1)))
		servertest.WantStatus(t, err, codes.Unauthenticated, "")
		code, body, _ := w.ask(t, "POST", "/v1/online-features", `{"service":"churn"}`, headers...)
		if code != 401 {
			t.Errorf("%.30q: got %d", headers, code)
		}
		for _, text := range []string{err.Error(), body, w.log.String()} {
			if strings.Contains(text, "planted") || strings.Contains(text, tokens[0]) {
				t.Errorf("%.30q is repeated: %s", headers, text)
			}
		}
	}
}

func TestRefusalsAreCountedAndLogged(t *testing.T) {
	w, _ := locked(t, nil, "online:read@shop")
	for range 50 {
		_, err := w.client.GetOnlineFeatures(context.Background(), byService("churn"))
		servertest.WantStatus(t, err, codes.Unauthenticated, "")
		_ = w.conn.Invoke(context.Background(), "/made.up/"+strings.Repeat("x", 5), &fstorev1.ModelRef{}, &fstorev1.ModelRef{})
	}
	_, metrics, _ := w.ask(t, "GET", "/metrics", "")
	for _, want := range []string{
		`fstore_requests_total{code="UNAUTHENTICATED",method="GetOnlineFeatures",transport="grpc"} 50`,
		`fstore_requests_total{code="UNAUTHENTICATED",method="other",transport="grpc"} 50`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if lines := strings.Count(w.log.String(), "a request was refused"); lines != 1 || strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("%d lines for 100 refusals, none of them errors:\n%s", lines, w.log)
	}
}

func TestAServerKnowsItsCallers(t *testing.T) {
	var mu sync.Mutex // guards seen
	var seen []server.Caller
	w, tokens := locked(t, nil, "online:read@shop")
	w.backend.Hook(func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, server.CallerOf(ctx))
		return nil
	})
	if _, err := w.client.GetOnlineFeatures(withToken(tokens[0]), byService("churn", int64s("customer_id", 1))); err != nil {
		t.Fatal(err)
	}
	if code, body, _ := w.ask(t, "POST", "/v1/online-features", `{"service":"churn","entities":{"customer_id":[1]}}`, "Bearer "+tokens[0]); code != 200 {
		t.Fatal(code, body)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 || seen[len(seen)-1].Address != "127.0.0.1" {
		t.Errorf("%+v", seen)
	}
	for _, c := range seen {
		if c.Key() != "token:callera" {
			t.Errorf("%+v", c)
		}
	}
}
