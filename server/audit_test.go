package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/admission"
	"github.com/fstore-dev/fstore/server/audit"
	"github.com/fstore-dev/fstore/server/servertest"
)

// audited returns the lines of an audit log that has ended.
func audited(t *testing.T, out *bytes.Buffer, lines *audit.Log) (all []auditLine) {
	t.Helper()
	over, end := context.WithCancel(context.Background())
	end()
	lines.Run(over)
	for text := range bytes.Lines(out.Bytes()) {
		var l auditLine
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

type auditLine struct {
	Caller, By, Address, Transport, Method, Service, Model, Code, Reason string
	Features, Rows, Unsaid                                               int
}

func TestTheAuditLogSaysWhoWasRefusedAndWhy(t *testing.T) {
	var out bytes.Buffer
	lines := audit.New(&out, slog.New(slog.DiscardHandler))
	w, tokens := locked(t, func(o *server.Options) {
		o.Audit = lines
		o.Admission = admission.Options{Rate: 1e-3, Burst: 2}
	}, "online:read@shop/service:churn", "online:read@shop", "online:read@shop expired")
	stranger, _ := access.NewToken()
	for _, c := range []struct {
		token string
		want  codes.Code
	}{
		{"", codes.Unauthenticated},
		{stranger, codes.Unauthenticated},
		{tokens[2], codes.Unauthenticated},
		{tokens[2], codes.Unauthenticated},
		{tokens[0], codes.PermissionDenied},
		{tokens[1], codes.OK},
		{tokens[1], codes.OK},
		{tokens[1], codes.ResourceExhausted},
		{tokens[1], codes.ResourceExhausted},
		{tokens[1], codes.ResourceExhausted},
	} {
		_, err := w.client.GetOnlineFeatures(withToken(c.token), byService("both", int64s("customer_id", 1)))
		servertest.WantStatus(t, err, c.want, "")
	}
	for _, credential := range [][]string{{"Basic x"}, {"Bearer " + tokens[2]}, {"Bearer " + tokens[1]}} {
		w.ask(t, "POST", "/v1/online-features", `{"service":"both","entities":{"customer_id":[1]}}`, credential...)
	}
	for _, token := range []string{"", tokens[0]} {
		reflect, err := reflectionpb.NewServerReflectionClient(w.conn).ServerReflectionInfo(withToken(token))
		if err == nil {
			_ = reflect.CloseSend()
			_, _ = reflect.Recv()
		}
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range audited(t, &out, lines) {
		got = append(got, fmt.Sprintln(l.Transport, l.Method, l.By, l.Caller, l.Code, l.Reason, l.Unsaid))
	}
	want := []string{
		"grpc GetOnlineFeatures   UNAUTHENTICATED no_credential 0\n",
		"grpc GetOnlineFeatures   UNAUTHENTICATED unknown_token 0\n",
		"grpc GetOnlineFeatures token callerc UNAUTHENTICATED expired_token 0\n",
		"grpc GetOnlineFeatures token callerc UNAUTHENTICATED expired_token 0\n", // at the end of the period
		"grpc GetOnlineFeatures token callera PERMISSION_DENIED no_grant 0\n",
		"grpc GetOnlineFeatures token callerb OK  0\n",
		"grpc GetOnlineFeatures token callerb OK  0\n",
		"grpc GetOnlineFeatures token callerb RESOURCE_EXHAUSTED rate 0\n",
		"grpc GetOnlineFeatures token callerb RESOURCE_EXHAUSTED rate 1\n", // at the end of the period
		"grpc ServerReflectionInfo   UNAUTHENTICATED no_credential 0\n",
		"grpc ServerReflectionInfo token callera OK  0\n",
		"http GetOnlineFeatures   UNAUTHENTICATED malformed_credential 0\n",
		"http GetOnlineFeatures token callerc UNAUTHENTICATED expired_token 0\n",
		"http GetOnlineFeatures token callerb RESOURCE_EXHAUSTED rate 0\n",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%swant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

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
	var got []string
	for _, l := range audited(t, &out, lines) {
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
