package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/audit"
	"github.com/fstore-dev/fstore/server/servertest"
)

func TestEveryDecisionIsInTheAuditLog(t *testing.T) {
	var out bytes.Buffer
	lines := audit.New(&out, slog.New(slog.DiscardHandler))
	w, tokens := locked(t, func(o *server.Options) { o.Audit = lines }, "online:read@shop", "online:read@shop/service:churn")
	call := func(token, service string, want codes.Code) {
		t.Helper()
		_, err := w.client.GetOnlineFeatures(withToken(token), byService(service, int64s("customer_id", 424242, 1)))
		servertest.WantStatus(t, err, want, "")
	}
	call(tokens[0], "churn", codes.OK)
	call(tokens[1], "both", codes.PermissionDenied)
	call("", "churn", codes.Unauthenticated)
	if _, err := w.client.GetOnlineFeatures(withToken(tokens[0]), byRefs([]string{"orders.value", "orders.lines"}, int64s("customer_id", 1))); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.GetOnlineFeatures(withToken(tokens[0]), byModel("fraud", "3"))
	servertest.WantStatus(t, err, codes.NotFound, "")
	if code, body, _ := w.ask(t, "POST", "/v1/online-features", `{"service":"churn","entities":{"customer_id":[424242]}}`, "Bearer "+tokens[1]); code != 200 {
		t.Fatal(code, body)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	over, end := context.WithCancel(context.Background())
	end()
	lines.Run(over)
	var got []string
	for text := range strings.Lines(out.String()) {
		var l struct {
			Caller, By, Address, Transport, Method, Service, Model, Code string
			Features, Rows                                               int
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l.Method != "GetOnlineFeatures" || l.Address == "" {
			t.Errorf("%+v", l)
		}
		got = append(got, strings.Join([]string{l.Transport, l.By, l.Caller, l.Service, l.Model, string(rune('0' + l.Features)), string(rune('0' + l.Rows)), l.Code}, " "))
	}
	want := []string{
		"grpc token callera churn  0 2 OK",
		"grpc token callerb both  0 0 PERMISSION_DENIED",
		"grpc     0 0 UNAUTHENTICATED",
		"grpc token callera   2 1 OK",
		"grpc token callera  fraud@3 0 0 NOT_FOUND",
		"http token callerb churn  0 1 OK",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, secret := range []string{"424242", "10.5", tokens[0], tokens[1], "fst_", "Bearer"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the audit log has %q:\n%s", secret, &out)
		}
	}
}
