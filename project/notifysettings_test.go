package project

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/notify"
)

const key32 = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

func TestTargetsOfNotify(t *testing.T) {
	environment := map[string]string{"KEY": key32, "PD": "routing"}
	for name, c := range map[string]struct {
		yaml string
		want []notify.Target
	}{
		"one": {"{url: https://a.example.com/x}", []notify.Target{{Name: "json", URL: "https://a.example.com/x", Format: notify.JSON}}},
		"a_list": {
			"\n- {url: https://a.example.com/x, secret: '${KEY}', on: late, name: ops}\n- {format: slack, url: https://hooks.slack.com/s, on: [drift, late, drift], link: https://wiki.example.com}\n- {format: pagerduty, secret: '${PD}'}",
			[]notify.Target{
				{Name: "ops", URL: "https://a.example.com/x", Format: notify.JSON, Key: key32, Events: []notify.Event{notify.Late}},
				{Name: "slack", URL: "https://hooks.slack.com/s", Format: notify.Slack, Events: []notify.Event{notify.Drift, notify.Late}, Link: "https://wiki.example.com"},
				{Name: "pagerduty", URL: notify.PagerDutyURL, Format: notify.PagerDuty, Key: "routing"},
			},
		},
		"off_without_the_variable": {"{url: '${HOOK:-}', format: slack}", nil},
		"http_where_it_is_allowed": {"{url: http://alerts.internal/x, allow_http: true}", []notify.Target{{Name: "json", URL: "http://alerts.internal/x", Format: notify.JSON}}},
		"nothing":                  {"", nil},
		"an_empty_list":            {"[]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := settings(t, write(t, "project: shop\nnotify: "+c.yaml+"\n"), environment, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, s.Notify); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestMistakesInTargetsOfNotify(t *testing.T) {
	for yaml, want := range map[string]string{
		"{on: late}":                                                      "fstore.yaml:2:9: notify.url: is missing",
		"{url: http://example.com/t0k3n}":                                 "fstore.yaml:2:15: notify.url: has http, which anybody on the way can read; use https, or set allow_http: true",
		"{url: 'https://u:t0k3n@example.com'}":                            "fstore.yaml:2:15: notify.url: has a user or a password; a secret signs messages instead",
		"{url: t0k3n}":                                                    "fstore.yaml:2:15: notify.url: is not the URL of a webhook, such as https://alerts.example.com/fstore",
		"{url: https://e.com, secret: t0k3n}":                             "fstore.yaml:2:38: notify.secret: is not 24 to 64 bytes in base64, which openssl rand -base64 32 makes",
		"{url: https://e.com, format: teams}":                             `fstore.yaml:2:38: notify.format: "teams" is not a format`,
		"{url: https://e.com, on: [drift, later]}":                        `fstore.yaml:2:42: notify.on: "later" is not an event; the events are check_failed, drift and late`,
		"{url: https://e.com, on: []}":                                    "fstore.yaml:2:34: notify.on: no events; remove it for all of them",
		"{url: https://e.com, allow_http: maybe}":                         `fstore.yaml:2:42: notify.allow_http: "maybe" is neither true nor false`,
		"{url: https://e.com, name: Ops}":                                 `fstore.yaml:2:36: notify.name: "Ops" is not a name`,
		"{url: https://e.com, link: wiki}":                                "fstore.yaml:2:36: notify.link: it is not the URL of a web page",
		"{url: https://e.com, ulr: x}":                                    `fstore.yaml:2:30: notify.ulr is not a setting (did you mean "url"?)`,
		"{url: https://e.com, url: https://e.com}":                        "", // the parser of YAML says so
		"{url: [https://e.com]}":                                          "fstore.yaml:2:15: notify.url: expected one value",
		"{url: '${NOT_SET}'}":                                             "fstore.yaml:2:15: notify.url: the variable NOT_SET is not set",
		"{format: slack, url: 'https://e.com', secret: t0k3n}":            "fstore.yaml:2:55: notify.secret: Slack checks none: its URL is the secret",
		"{format: pagerduty}":                                             "fstore.yaml:2:9: notify.secret: is missing",
		"late":                                                            "fstore.yaml:2:9: notify: expected a target, such as {url: …}, or a list of them",
		"[late]":                                                          "fstore.yaml:2:10: notify: expected a target, such as {url: …}, or a list of them",
		"[{url: https://e.com}, {url: https://f.com}]":                    "fstore.yaml:2:32: notify.name: two targets are named json",
		"[" + strings.Repeat("{url: https://e.com},", maxTargets+1) + "]": "fstore.yaml:2:9: notify: 21 targets; the limit is 20",
		"{url: ftp://e.com, on: later, name: A}\nstate: ''":               "*",
	} {
		_, err := settings(t, write(t, "project: shop\nnotify: "+yaml+"\n"), nil, nil)
		if err == nil || !errors.Is(err, fstore.ErrDefinition) {
			t.Errorf("%s: got %v", yaml, err)
			continue
		}
		got, _ := fstore.Explain(err)
		if want != "" && want != "*" && got != want {
			t.Errorf("%s: got\n%s, want\n%s", yaml, got, want)
		}
		if strings.Contains(got, "t0k3n") {
			t.Errorf("%s: the error repeats a secret: %s", yaml, got)
		}
	}
}

// Whatever a target keeps secret is registered before anything can print it, also if another of its keys is wrong.
func TestSecretsOfTargetsAreMasked(t *testing.T) {
	dir := write(t, "project: shop\nnotify: {url: https://hooks.example.com/services/T0/B0/s3cr3t, secret: whsec_bad, format: teams}\n")
	var masked []string
	_, err := Open(t.Context(), dir, Options{Lookup: func(string) (string, bool) { return "", false }, Secret: func(s string) { masked = append(masked, s) }})
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{"whsec_bad", "https://hooks.example.com/services/T0/B0/s3cr3t", "/services/T0/B0/s3cr3t"} {
		if !strings.Contains("\n"+strings.Join(masked, "\n")+"\n", "\n"+secret+"\n") {
			t.Errorf("%s is not masked", secret)
		}
	}
}

// docs/notify.md must have every key of a target.
func TestEveryKeyOfATargetIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/notify.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range notifyKeys {
		if !strings.Contains(string(text), "| `"+k.name+"` | ") {
			t.Errorf("docs/notify.md does not have %s", k.name)
		}
	}
}
