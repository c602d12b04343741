package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// inbox is a receiver of the messages of all three formats, each at a path of its own that is a secret.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	status int // of its answers
	got    []string
}

const (
	inboxPath   = "/services/T00/B00/pathsecret0123456789"
	inboxSecret = "whsec_c2lnbmluZ3NlY3JldHNpZ25pbmdzZWNyZXQ="
	routingKey  = "routingsecret0123456789abcdef0123"
)

// newNotified returns a repo to which everything was applied, and where its messages arrive.
func newNotified(t *testing.T) (*shell, *inbox) {
	t.Helper()
	in := &inbox{status: http.StatusOK}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		if w.WriteHeader(in.status); in.status == http.StatusOK {
			in.got = append(in.got, strings.TrimPrefix(r.URL.Path, inboxPath+"/")+" "+gist(t, body))
		}
	}))
	t.Cleanup(in.Close)
	sh := newRepo(t)
	settings, err := os.OpenFile(filepath.Join(sh.dir, "fstore.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	url := in.URL + inboxPath
	fmt.Fprintf(settings, "\nnotify:\n- {url: %s/json, secret: %s}\n- {format: slack, url: %s/slack, on: check_failed}\n- {format: pagerduty, url: %s/pagerduty, secret: %s, on: [late]}\n",
		url, inboxSecret, url, url, routingKey)
	if err := settings.Close(); err != nil {
		t.Fatal(err)
	}
	sh.run("fstore apply --yes")
	return sh, in
}

// gist returns what a message of any format says, in a few words.
func gist(t *testing.T, body []byte) string {
	var m struct {
		Type        string
		Text        string
		EventAction string `json:"event_action"`
		DedupKey    string `json:"dedup_key"`
		Data        struct{ Summary string }
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Errorf("%v in %s", err, body)
	}
	return strings.TrimSpace(m.Type + " " + m.Data.Summary + m.Text + m.EventAction + " " + m.DedupKey)
}

// take returns the messages since the last call, sorted.
func (in *inbox) take() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	got := in.got
	in.got = nil
	slices.Sort(got)
	return got
}

func (in *inbox) answer(status int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.status = status
}

// fstore runs a command at a time, wants its exit status, and returns what it printed. No secret is printed.
func (s *shell) fstore(clock, command string, status int) (stdout, stderr string) {
	s.t.Helper()
	cmd := exec.Command("fstore", strings.Fields(command)...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "CLOCK="+clock)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != status {
		s.t.Errorf("%s exits with %d, want %d\n%s%s", command, got, status, out.String(), errs.String())
	}
	for _, secret := range []string{"pathsecret", "whsec_", "c2lnbmluZ3", "routingsecret"} {
		if strings.Contains(out.String()+errs.String(), secret) {
			s.t.Errorf("%s prints %s\n%s%s", command, secret, out.String(), errs.String())
		}
	}
	return out.String(), errs.String()
}

func (in *inbox) want(t *testing.T, what string, want ...string) {
	t.Helper()
	got := in.take()
	for i, g := range got {
		if i >= len(want) || !strings.HasPrefix(g, want[i]) {
			t.Errorf("%s: message %d is %q\nwant %q", what, i, g, want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d messages, want %d: %q", what, len(got), len(want), got)
	}
}

func TestNotify(t *testing.T) {
	const early, late = "2025-12-01T00:30:00Z", "2025-12-01T02:00:00Z"
	sh, in := newNotified(t)
	out, _ := sh.fstore(early, "notify --test --output json", 0)
	in.want(t, "a test", "json test.firing", "pagerduty resolve", "pagerduty trigger", "slack Firing: test")
	if !strings.Contains(out, `"ok": true`) {
		t.Error(out)
	}
	sh.fstore(early, "notify --test slack", 0)
	in.want(t, "a test of one", "slack Firing: test")
	if _, stderr := sh.fstore(early, "notify --test slck", 2); !strings.Contains(stderr, "there is no target slck") {
		t.Error(stderr)
	}

	sh.fstore(early, "materialize --to 2025-12-01", 0)
	sh.fstore(early, "freshness", 0)
	in.want(t, "nothing is wrong")
	if _, stderr := sh.fstore(early, "notify", 0); !strings.Contains(stderr, "Nothing fires.") {
		t.Error(stderr)
	}
	// Late, with receivers that are down. freshness does its work all the same.
	in.answer(403) // not tried again
	_, stderr := sh.fstore(late, "freshness", 4)
	host := strings.TrimPrefix(in.URL, "http://")
	for _, target := range []string{"json", "pagerduty"} {
		if want := "warning: 1 alert did not reach " + target + " (" + host + "): it answers with status 403: check the URL and the secret; the next run sends again"; !strings.Contains(stderr, want) {
			t.Errorf("got %s\nwant %s", stderr, want)
		}
	}
	if _, stderr := sh.fstore(late, "notify --test", 4); stderr != "" {
		t.Error(stderr)
	}
	in.want(t, "receivers that are down")
	out, _ = sh.fstore(late, "notify", 0)
	if !strings.Contains(out, "shop@1") || !strings.Contains(out, "not json (failed 1×), not pagerduty (failed 1×)") {
		t.Error(out)
	}
	// The next command of any kind sends it. It is sent once.
	in.answer(200)
	sh.fstore(late, "check customer_orders --to 2025-12-01", 0)
	in.want(t, "the next run", "json late.firing shop@1 is late by 1h", "pagerduty trigger fstore/shop/late/freshness/feature_view/shop/1")
	sh.fstore(late, "freshness", 4)
	in.want(t, "still late")
	out, _ = sh.fstore(late, "notify --output json", 0)
	if !strings.Contains(out, `"told": true`) || strings.Contains(out, `"told": false`) {
		t.Error(out)
	}
	sh.fstore(late, "materialize", 0)
	sh.fstore(late, "freshness", 0)
	in.want(t, "fresh again", "json late.resolved shop@1 is fresh", "pagerduty resolve fstore/shop/late/freshness/feature_view/shop/1")
	sh.fstore(late, "freshness", 0)
	in.want(t, "still fresh")
}
