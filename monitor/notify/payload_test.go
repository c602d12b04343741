package notify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/internal/schematest"
)

// The example of the specification's own libraries.
func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	key, err := SigningKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHeaders(t *testing.T) {
	target := Target{Format: JSON, Key: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	r, err := target.compose(message(7))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	r.headers(h, epoch)
	at := fmt.Sprint(epoch.Unix())
	if h.Get("Webhook-Id") != "msg_7" || h.Get("Webhook-Timestamp") != at || h.Get("Webhook-Signature") != sign(r.signed, "msg_7", at, r.body) {
		t.Error(h)
	}
	for _, other := range []Target{{Format: Slack}, {Format: PagerDuty, Key: "k"}} {
		r, err := other.compose(message(7))
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		if r.headers(h, epoch); h.Get("Webhook-Id") != "" || h.Get("Content-Type") != "application/json" {
			t.Error(other.Format, h)
		}
	}
}

// composed returns the body of a message as any program reads it.
func composed(t *testing.T, target Target, m Message) map[string]any {
	t.Helper()
	r, err := target.compose(m)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(r.body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func want(t *testing.T, got map[string]any, want string) {
	t.Helper()
	var w map[string]any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func detailed(state State) Message {
	a := Alert{
		Event: CheckFailed, By: "check", Subject: Subject{"feature_view", "orders", "3"}, State: state, At: epoch, Summary: "2 expectations of orders@3 failed",
		Details: []Detail{{"expectation", "value between [0, 10]: 3 of 100 rows"}, {"expectation", "id not_null: 1 of 100 rows"}},
	}
	return a.Message("shop", "msg_1", epoch)
}

func TestTheThreePayloads(t *testing.T) {
	t.Run("json", func(t *testing.T) {
		want(t, composed(t, Target{Format: JSON, Link: "https://wiki.example.com/fstore"}, detailed(Firing)), `{
			"type": "check_failed.firing", "timestamp": "2026-03-01T12:00:00Z",
			"data": {
				"key": "fstore/shop/check_failed/check/feature_view/orders/3", "id": "msg_1", "project": "shop", "since": "2026-03-01T12:00:00Z",
				"event": "check_failed", "found_by": "check", "subject": {"kind": "feature_view", "name": "orders", "version": "3"},
				"state": "firing", "at": "2026-03-01T12:00:00Z", "summary": "2 expectations of orders@3 failed",
				"details": [{"name": "expectation", "value": "value between [0, 10]: 3 of 100 rows"}, {"name": "expectation", "value": "id not_null: 1 of 100 rows"}],
				"link": "https://wiki.example.com/fstore"
			}}`)
	})
	t.Run("slack", func(t *testing.T) {
		m := detailed(Firing)
		m.Link = "https://example.com/report?a=1&b=|x"
		want(t, composed(t, Target{Format: Slack}, m), `{
			"text": "Firing: check failed for orders@3: 2 expectations of orders@3 failed",
			"blocks": [
				{"type": "header", "text": {"type": "plain_text", "emoji": false, "text": "Firing: check failed for orders@3"}},
				{"type": "section", "text": {"type": "plain_text", "emoji": false, "text": "2 expectations of orders@3 failed"}},
				{"type": "section", "text": {"type": "plain_text", "emoji": false,
					"text": "expectation: value between [0, 10]: 3 of 100 rows\nexpectation: id not_null: 1 of 100 rows"}},
				{"type": "context", "elements": [{"type": "mrkdwn", "text": "project shop · since 2026-03-01T12:00:00Z · <https://example.com/report?a=1&amp;b=%7Cx|more>"}]}
			]}`)
	})
	t.Run("pagerduty", func(t *testing.T) {
		target := Target{Format: PagerDuty, Key: "0123", Link: "https://wiki.example.com/fstore"}
		want(t, composed(t, target, detailed(Firing)), `{
			"routing_key": "0123", "event_action": "trigger", "dedup_key": "fstore/shop/check_failed/check/feature_view/orders/3", "client": "fstore",
			"links": [{"href": "https://wiki.example.com/fstore", "text": "more"}],
			"payload": {
				"summary": "Firing: check failed for orders@3: 2 expectations of orders@3 failed", "source": "fstore project shop", "severity": "error",
				"timestamp": "2026-03-01T12:00:00Z", "class": "check_failed", "group": "shop",
				"custom_details": {"subject": "orders@3", "found_by": "check",
					"expectation": "value between [0, 10]: 3 of 100 rows", "expectation 2": "id not_null: 1 of 100 rows"}
			}}`)
		want(t, composed(t, target, detailed(Resolved)),
			`{"routing_key": "0123", "event_action": "resolve", "dedup_key": "fstore/shop/check_failed/check/feature_view/orders/3"}`)
	})
}

// hostile are texts that a definition or a library could bring into a message.
var hostile = []string{
	"<!channel> <@U123> <https://evil.example|ok> & more", "*bold* _it_ `code` @here", "a\nb\r\nc\td\x00\x1b[31mred", "\u202egnp.exe\u2066\u200b", "\xff\xfe broken",
	strings.Repeat("long ", 100_000), strings.Repeat("漢", 5_000), `"}],"routing_key":"x`, "",
}

func TestHostileTexts(t *testing.T) {
	for _, text := range hostile {
		a := Alert{Event: Drift, By: "drift", Subject: Subject{"model", text, text}, State: Firing, Summary: text, Link: text}
		for range 100 {
			a.Details = append(a.Details, Detail{text, text})
		}
		m := a.Message("shop", "msg_1", epoch)
		for _, target := range []Target{{Format: JSON}, {Format: Slack}, {Format: PagerDuty, Key: "k"}} {
			r, err := target.compose(m)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.body) > 128<<10 || !utf8.Valid(r.body) {
				t.Errorf("%s of %.20q has %d bytes", target.Format, text, len(r.body))
			}
			for _, raw := range []string{`\u001b`, `\u0000`, "\u202e", "\u2066", `\u202e`} {
				if strings.Contains(string(r.body), raw) {
					t.Errorf("%s of %.20q has %q: %s", target.Format, text, raw, r.body)
				}
			}
			if target.Format != Slack {
				continue
			}
			for _, raw := range []string{"<!channel>", "<@U123>", "<https://evil"} {
				if got := slackMarkup(t, r.body); strings.Contains(got, raw) {
					t.Errorf("%.20q has %q where Slack looks for markup: %s", text, raw, got)
				}
			}
		}
		event := composed(t, Target{Format: PagerDuty, Key: "k"}, m)
		if key := event["dedup_key"].(string); len(key) > 255 || event["routing_key"] != "k" {
			t.Errorf("dedup_key of %d bytes, routing_key %v", len(key), event["routing_key"])
		}
		if s := event["payload"].(map[string]any)["summary"].(string); utf8.RuneCountInString(s) > 1024 {
			t.Errorf("a summary of %d characters", utf8.RuneCountInString(s))
		}
	}
}

// slackMarkup returns the texts of a body in which Slack looks for markup, and checks the lengths that Slack allows.
func slackMarkup(t *testing.T, body []byte) string {
	t.Helper()
	var m slackMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	out := m.Text
	for _, b := range m.Blocks {
		if most := map[string]int{"header": maxHeader, "section": maxSection}[b.Type]; b.Text != nil && (b.Text.Type != "plain_text" || utf8.RuneCountInString(b.Text.Text) > most) {
			t.Errorf("a %s has %d characters of %s", b.Type, len(b.Text.Text), b.Text.Type)
		}
		for _, e := range b.Elements {
			out += "\n" + e.Text
		}
	}
	return out
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"https://alerts.example.com/x":   "",
		"https://10.0.0.7/x":             "",
		"http://127.0.0.1:8080/x":        "",
		"http://localhost/x":             "",
		"http://[::1]:80/":               "",
		"http://alerts.example.com/x":    "has http",
		"http://127.0.0.1.example.com/x": "has http",
		"http://169.254.169.254/":        "has http",
		"ftp://example.com":              "is not the URL",
		"file:///etc/passwd":             "is not the URL",
		"https://":                       "is not the URL",
		"alerts.example.com":             "is not the URL",
		"https://u:p@example.com/":       "has a user",
		"https://example.com/#x":         "has a fragment",
		"https://exa mple.com/s3cr3t":    "is not the URL",
	} {
		err := CheckURL(url, false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v repeats the URL", err)
		}
	}
	if err := CheckURL("http://alerts.internal/x", true); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	target := Target{Name: "ops", URL: "https://hooks.example.com/s3cr3t/path", Format: JSON, Key: "whsec_s3cr3t"}
	encoded, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", target, target, target, &target), string(encoded)} {
		if strings.Contains(text, "s3cr3t") {
			t.Error(text)
		}
	}
	if got := target.String(); got != "ops (hooks.example.com)" {
		t.Error(got)
	}
	for _, secret := range []string{"whsec_s3cr3t", "s3cr3t", "/s3cr3t/path", "https://hooks.example.com/s3cr3t/path"} {
		if !slices.Contains(target.Secrets(), secret) {
			t.Errorf("%s may be printed", secret)
		}
	}
}

func TestSigningKeys(t *testing.T) {
	b64 := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for secret, ok := range map[string]bool{
		b64(24): true, b64(64): true, "whsec_" + b64(32): true, b64(23): false, b64(65): false, "": false, "not base64!": false, "whsec_": false,
	} {
		if _, err := SigningKey(Secret(secret)); (err == nil) != ok {
			t.Errorf("%q: %v", secret, err)
		} else if err != nil && len(secret) > 6 && strings.Contains(err.Error(), secret) {
			t.Errorf("%v repeats the secret", err)
		}
	}
}

func TestJSONIsAsItsSchemaSays(t *testing.T) {
	schemas := schematest.New()
	bare := Alert{Event: Test, By: "notify", Subject: Subject{Kind: "project", Name: "shop"}, State: Resolved}
	for _, m := range []Message{detailed(Firing), detailed(Resolved), bare.Message("shop", "msg_2", epoch)} {
		for _, v := range schemas.Violations("../../docs/schema/alert.json", composed(t, Target{Format: JSON, Link: "https://example.com"}, m)) {
			t.Error(v)
		}
	}
	for _, v := range schemas.Unmet("../../docs/schema/alert.json") {
		t.Error(v)
	}
}
