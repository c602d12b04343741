package project

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/notify"
	"github.com/goccy/go-yaml/ast"
)

// notifyKey is the setting of who is told of alerts: one target, or a list of them. It has no variable of the environment; its
// values may have ${VAR}.
const notifyKey = "notify"

// maxTargets is how many targets there may be.
const maxTargets = 20

// notifyKeys are the keys of a target, with their meaning.
var notifyKeys = []settingKey{
	{"url", "", "where messages are sent, over https; empty: nowhere"},
	{"on", "", "what the target is told of: check_failed, drift, late, or a list of them (default: all)"},
	{"format", "json", "json, slack or pagerduty: the form of the messages"},
	{"secret", "", "format json: key of the signature, 24 to 64 bytes in base64; pagerduty: the integration key"},
	{"name", "", "name of the target, by which the registry remembers what it was told (default: the format)"},
	{"link", "", "web page that messages link to, such as a runbook or a dashboard"},
	{"allow_http", "false", "true allows a URL with http on another machine"},
}

// notifyText is a target as written.
type notifyText struct {
	pos    fstore.Pos
	values map[string]string
	places map[string]fstore.Pos
	on     []string
}

func isNotifyKey(key string) bool {
	return slices.ContainsFunc(notifyKeys, func(k settingKey) bool { return k.name == key })
}

// notify reads one target, or a list of them.
func (w *settingsWalk) notify(n ast.Node) {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.SequenceNode:
		if len(n.Values) > maxTargets {
			w.bad(n, "notify: %d targets; the limit is %d", len(n.Values), maxTargets)
			return
		}
		for _, one := range n.Values {
			w.notifyTarget(one)
		}
	default:
		w.notifyTarget(n)
	}
}

func (w *settingsWalk) notifyTarget(n ast.Node) {
	m, ok := n.(ast.MapNode)
	if !ok {
		w.bad(n, "notify: expected a target, such as {url: …}, or a list of them")
		return
	}
	t := notifyText{pos: w.at(n), values: map[string]string{}, places: map[string]fstore.Pos{}}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		if _, twice := t.places[key]; twice {
			w.bad(it.Key(), "notify.%s is given twice", key)
			continue
		}
		if !isNotifyKey(key) {
			w.bad(it.Key(), "notify.%s is not a setting (%s)", key, cmp.Or(fstore.DidYouMean(key, notifyNames()), "the keys are "+strings.Join(notifyNames(), ", ")))
			continue
		}
		t.places[key] = w.at(it.Value())
		if key == "on" {
			t.on = w.notifyEvents(it.Value())
		} else if text, ok := w.scalar("notify."+key, it.Value()); ok {
			t.values[key] = text
		}
	}
	w.out.notify = append(w.out.notify, t)
}

func notifyNames() []string {
	names := make([]string, len(notifyKeys))
	for i, k := range notifyKeys {
		names[i] = k.name
	}
	return names
}

func (w *settingsWalk) notifyEvents(n ast.Node) (events []string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		list = &ast.SequenceNode{Values: []ast.Node{n}}
	}
	for _, one := range list.Values {
		text, ok := w.scalar("notify.on", one)
		if ok && !slices.Contains(notify.Events, notify.Event(text)) {
			w.bad(one, "notify.on: %q is not an event; the events are check_failed, drift and late", text)
		} else if ok && !slices.Contains(events, text) {
			events = append(events, text)
		}
	}
	if len(list.Values) == 0 {
		w.bad(n, "notify.on: no events; remove it for all of them")
	}
	return events
}

// notify checks the targets. One without a URL is off, so that a variable can turn it on.
func (c *settingsCheck) notify() (targets []notify.Target) {
	names := map[string]bool{}
	for i := range c.file.notify {
		t := &c.file.notify[i]
		target := c.notifyTarget(t)
		if names[target.Name] {
			c.badNotify(t, "name", "give each target its own name", "two targets are named %s", target.Name)
		}
		names[target.Name] = true
		if target.URL != "" {
			targets = append(targets, target)
		}
	}
	return targets
}

func (c *settingsCheck) badNotify(t *notifyText, key, hint, format string, args ...any) {
	pos, given := t.places[key]
	if !given {
		pos = t.pos
	}
	c.wrong = append(c.wrong, fstore.ErrorAt(fstore.ErrDefinition, pos, "notify.%s: %s", key, fmt.Sprintf(format, args...)).WithHint("%s", hint))
}

func (c *settingsCheck) notifyTarget(t *notifyText) notify.Target {
	out := notify.Target{
		URL: notify.Secret(t.values["url"]), Format: notify.Format(cmp.Or(t.values["format"], string(notify.JSON))),
		Key: notify.Secret(t.values["secret"]), Link: t.values["link"],
	}
	for _, e := range t.on {
		out.Events = append(out.Events, notify.Event(e))
	}
	c.notifySecrets(&out)
	_, given := t.places["url"]
	if !given && out.Format == notify.PagerDuty {
		out.URL = notify.PagerDutyURL
	} else if !given {
		c.badNotify(t, "url", "for example url: ${FSTORE_WEBHOOK:-}, which is off without the variable", "is missing")
	}
	out.Name = cmp.Or(t.values["name"], string(out.Format))
	if err := fstore.CheckName(out.Name); err != nil {
		message, hints := fstore.Explain(err)
		c.badNotify(t, "name", hints[0], "%s", message)
	}
	allowHTTP := c.notifyFlag(t, "allow_http")
	if out.URL == "" {
		return out
	}
	if err := notify.CheckURL(string(out.URL), allowHTTP); err != nil {
		c.badNotify(t, "url", "docs/notify.md shows the targets", "%v", err)
	}
	if out.Link != "" && !notify.IsWebLink(out.Link) {
		c.badNotify(t, "link", "for example https://wiki.example.com/runbooks/fstore", "it is not the URL of a web page")
	}
	c.notifyKey(t, &out)
	return out
}

// notifyKey checks what the format needs of the secret.
func (c *settingsCheck) notifyKey(t *notifyText, out *notify.Target) {
	switch out.Format {
	case notify.JSON:
		if out.Key == "" {
			return // messages are not signed
		}
		if _, err := notify.SigningKey(out.Key); err != nil {
			c.badNotify(t, "secret", "keep it in the environment: secret: ${FSTORE_WEBHOOK_SECRET}", "%v", err)
		}
	case notify.Slack:
		if out.Key != "" {
			c.badNotify(t, "secret", "remove it", "Slack checks none: its URL is the secret")
		}
	case notify.PagerDuty:
		if out.Key == "" {
			c.badNotify(t, "secret", "the integration key of an Events API v2 integration, from the environment: secret: ${PAGERDUTY_KEY}", "is missing")
		}
	default:
		c.badNotify(t, "format", "json, slack or pagerduty", "%q is not a format", out.Format)
	}
}

func (c *settingsCheck) notifyFlag(t *notifyText, key string) bool {
	switch text := t.values[key]; text {
	case "true":
		return true
	case "", "false":
	default:
		c.badNotify(t, key, "true or false", "%q is neither true nor false", text)
	}
	return false
}

// notifySecrets lets nothing print what a target keeps secret.
func (c *settingsCheck) notifySecrets(t *notify.Target) {
	for _, s := range t.Secrets() {
		c.options.Secret(s)
	}
}
