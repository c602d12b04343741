package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// request is what is sent to a target.
type request struct {
	body   []byte
	signed []byte // the key of the signature; nil: none
	id     string // in the headers of format json; empty: none
}

// compose writes a message in the format of a target.
func (t *Target) compose(m Message) (request, error) {
	if m.Link == "" {
		m.Link = webLink(t.Link)
	}
	key := m.key()
	m.Subject.Name, m.Subject.Version = line(m.Subject.Name, maxSubject), line(m.Subject.Version, maxSubject)
	var r request
	var body any
	switch t.Format {
	case Slack:
		body = slackBody(&m)
	case PagerDuty:
		body = pagerDutyBody(&m, key, t.Key)
	case JSON:
		r.id = m.ID
		if t.Key != "" {
			var err error
			if r.signed, err = SigningKey(t.Key); err != nil {
				return r, fmt.Errorf("the secret %w", err)
			}
		}
		body = jsonBody(&m, key)
	default:
		return r, fmt.Errorf("there is no format %q", t.Format)
	}
	var err error
	r.body, err = json.Marshal(body)
	return r, err
}

// headers sets the headers of an attempt at an instant. Those of the signature follow Standard Webhooks
// (https://www.standardwebhooks.com): HMAC-SHA256 over ID, seconds since 1970 and body.
func (r *request) headers(h http.Header, now time.Time) {
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "fstore")
	if r.id == "" {
		return
	}
	at := fmt.Sprint(now.Unix())
	h.Set("Webhook-Id", r.id)
	h.Set("Webhook-Timestamp", at)
	if r.signed != nil {
		h.Set("Webhook-Signature", sign(r.signed, r.id, at, r.body))
	}
}

func sign(key []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// payload is the body of format json, in the envelope that Standard Webhooks recommends.
type payload struct {
	Type      string    `json:"type"` // check_failed.firing
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	Key string `json:"key"` // of the condition
	Message
}

func jsonBody(m *Message, key string) payload {
	return payload{string(m.Event) + "." + string(m.State), m.Since, data{key, *m}}
}

// The bounds of Slack's blocks, in characters.
const (
	maxHeader  = 150
	maxSection = 3000
)

// slackText is a text of Slack. A plain text has no markup, so nothing in it can mention a channel or hide a link.
type slackText struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackMessage struct {
	Text   string       `json:"text"` // for notifications
	Blocks []slackBlock `json:"blocks"`
}

func plain(s string, most int) *slackText {
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most-1]) + "…"
	}
	return &slackText{Type: "plain_text", Text: s, Emoji: new(bool)}
}

// slackEscape takes the meaning from the three characters with which Slack's markup begins.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackBody follows Slack's incoming webhooks and Block Kit.
func slackBody(m *Message) slackMessage {
	out := slackMessage{
		Text:   slackEscape.Replace(m.title() + ": " + m.Summary),
		Blocks: []slackBlock{{Type: "header", Text: plain(m.title(), maxHeader)}},
	}
	section := func(text string) {
		if text != "" {
			out.Blocks = append(out.Blocks, slackBlock{Type: "section", Text: plain(text, maxSection)})
		}
	}
	section(m.Summary)
	var lines []string
	for _, d := range m.Details {
		lines = append(lines, d.Name+": "+d.Value)
	}
	section(strings.Join(lines, "\n"))
	about := slackEscape.Replace("project " + m.Project + " · since " + m.Since.Format(time.RFC3339))
	if m.Link != "" {
		about += " · <" + strings.ReplaceAll(slackEscape.Replace(m.Link), "|", "%7C") + "|more>"
	}
	out.Blocks = append(out.Blocks, slackBlock{Type: "context", Elements: []slackText{{Type: "mrkdwn", Text: about}}})
	return out
}

// pagerDutyEvent is an event of PagerDuty's Events API v2.
type pagerDutyEvent struct {
	RoutingKey  string            `json:"routing_key"`
	EventAction string            `json:"event_action"`
	DedupKey    string            `json:"dedup_key"`
	Payload     *pagerDutyPayload `json:"payload,omitempty"` // of a trigger
	Links       []pagerDutyLink   `json:"links,omitempty"`
	Client      string            `json:"client,omitempty"`
}

type pagerDutyPayload struct {
	Summary       string            `json:"summary"`
	Source        string            `json:"source"`
	Severity      string            `json:"severity"`
	Timestamp     time.Time         `json:"timestamp"`
	Class         string            `json:"class"`
	Group         string            `json:"group"`
	CustomDetails map[string]string `json:"custom_details,omitempty"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

func pagerDutyBody(m *Message, key string, routingKey Secret) pagerDutyEvent {
	e := pagerDutyEvent{RoutingKey: string(routingKey), EventAction: "resolve", DedupKey: key}
	if m.State == Resolved {
		return e
	}
	e.EventAction, e.Client = "trigger", "fstore"
	e.Payload = &pagerDutyPayload{
		Summary: line(m.title()+": "+m.Summary, 1000), Source: "fstore project " + m.Project, Severity: severity(m.Event), Timestamp: m.Since,
		Class: string(m.Event), Group: m.Project, CustomDetails: map[string]string{"subject": m.Subject.String(), "found_by": m.By},
	}
	for i, d := range m.Details {
		name := d.Name
		if _, taken := e.Payload.CustomDetails[name]; taken {
			name = fmt.Sprintf("%s %d", name, i+1)
		}
		e.Payload.CustomDetails[name] = d.Value
	}
	if m.Link != "" {
		e.Links = []pagerDutyLink{{m.Link, "more"}}
	}
	return e
}

// severity is PagerDuty's severity of an event: drift is no outage.
func severity(e Event) string {
	switch e {
	case Test:
		return "info"
	case Drift:
		return "warning"
	default:
		return "error"
	}
}
