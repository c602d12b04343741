package notify

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Format is the form of what a target is sent.
type Format string

// The formats.
const (
	JSON      Format = "json"      // signed JSON: docs/schema/alert.json
	Slack     Format = "slack"     // an incoming webhook of Slack
	PagerDuty Format = "pagerduty" // an event of PagerDuty's Events API v2
)

// PagerDutyURL is where PagerDuty takes events.
const PagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// Secret is a text that is never printed.
type Secret string

func (Secret) String() string { return "***" }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Target is where messages go.
type Target struct {
	Name   string
	URL    Secret // Slack's is a secret
	Format Format
	Events []Event // empty: all
	Key    Secret  // JSON: the key of the signature, which may be empty; PagerDuty: the routing key
	Link   string  // for messages that have none of their own; may be empty
}

// Wants reports whether the target is told of an event.
func (t *Target) Wants(e Event) bool { return wants(t.Events, e) }

// Host returns the host of the URL, which is all that may be shown of it.
func (t *Target) Host() string {
	u, err := url.Parse(string(t.URL))
	if err != nil {
		return ""
	}
	return u.Host
}

// String names the target for people.
func (t *Target) String() string { return t.Name + " (" + t.Host() + ")" }

// CheckURL returns an error unless messages may be sent to a URL: over https, or over http to this machine or where that is
// allowed. The error does not repeat the URL.
func CheckURL(text string, allowHTTP bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("is not the URL of a webhook, such as https://alerts.example.com/fstore")
	case u.User != nil:
		return fmt.Errorf("has a user or a password; a secret signs messages instead")
	case u.Fragment != "":
		return fmt.Errorf("has a fragment, which is never sent")
	case u.Scheme == "http" && !allowHTTP && !isLoopback(u.Hostname()):
		return fmt.Errorf("has http, which anybody on the way can read; use https, or set allow_http: true")
	}
	return nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// webLink returns a link if it is the URL of a web page, else nothing.
func webLink(text string) string {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxLink || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// The length of a signing key in bytes, as Standard Webhooks bounds it.
const (
	minKey = 24
	maxKey = 64
)

// SigningKey decodes the secret of a target with format json: 24 to 64 bytes in base64, which may begin with whsec_.
func SigningKey(secret Secret) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
	if err != nil || len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("is not %d to %d bytes in base64, which openssl rand -base64 32 makes", minKey, maxKey)
	}
	return key, nil
}

// IsWebLink reports whether a text is a link that messages can have.
func IsWebLink(text string) bool { return webLink(text) != "" }

// leastSecret is the length from which a path counts as a secret: a short one, such as /hook, is in many texts.
const leastSecret = 12

// Secrets returns what nothing may print of the target: the key, and the URL and its path, which Slack's secret is in.
func (t *Target) Secrets() (out []string) {
	if t.Key != "" {
		out = append(out, string(t.Key), strings.TrimPrefix(string(t.Key), "whsec_"))
	}
	if t.URL == "" || t.URL == PagerDutyURL {
		return out
	}
	out = append(out, string(t.URL))
	if u, err := url.Parse(string(t.URL)); err == nil && len(u.RequestURI()) >= leastSecret {
		out = append(out, u.RequestURI(), strings.Trim(u.RequestURI(), "/"))
	}
	return out
}
