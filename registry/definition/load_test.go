package definition_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Files that are no text, or that the parser would choke on, are refused with their place.
func TestFilesThatAreNoText(t *testing.T) {
	const entity = "kind: entity\nname: user\njoin_keys: [{name: id, type: int64}]\n"
	for _, c := range []struct{ name, content, want string }{
		{"byte order mark", "\ufeff" + entity, ""},
		{"carriage returns", strings.ReplaceAll(entity, "\n", "\r\n"), ""},
		{"latin1", "kind: entity\nowner: ü\xe9\n", "d.yaml:2:9: byte 0xe9 is not UTF-8\n\tsave the file as UTF-8\n"},
		{"utf16", "\xff\xfek\x00", "d.yaml:1:1: byte 0xff is not UTF-8\n\tsave the file as UTF-8\n"},
		{"nul", "kind: entity\x00\n", "d.yaml:1:13: control character 0x00 in the file\n\tremove it\n"},
		{"huge", entity + strings.Repeat("# comment\n", 1<<19), "d.yaml:1:1: the file has 5242941 bytes; the limit is 4194304\n\tsplit it into several files\n"},
		{"brackets", "kind: " + strings.Repeat("[", 1<<20), "d.yaml:1:107: nested more than 100 deep\n\tclose the brackets\n"},
		{"braces", strings.Repeat("{a: ", 1<<18), "d.yaml:1:401: nested more than 100 deep\n\tclose the brackets\n"},
		{"dashes", strings.Repeat("- ", 1<<20), "d.yaml:1:201: nested more than 100 deep\n\tclose the brackets\n"},
		{"lines", "kind: entity\ntags:\n" + strings.Repeat("- a\n", 120_000), "d.yaml:100001:1: more than 200000 lines and values in one file\n\tsplit it into several files\n"},
		{"a list in brackets", "kind: entity\ntags: [" + strings.Repeat("a,", 220_000) + "a]\n", "d.yaml:2:400001: more than 200000 lines and values in one file\n\tsplit it into several files\n"},
		{"documents", strings.Repeat("kind: entity\n---\n", 10_000), "d.yaml:20000:1: more than 10000 documents in one file\n\tsplit it\n"},
		{"keys", "kind: entity\n" + numbered("k%d: 1\n", 4000), "d.yaml:4001:6: more than 4000 keys in one mapping\n\tsplit it\n"},
		{"keys of a mapping within", "kind: entity\ntags:\n" + numbered("  k%d: 1\n", 4001), "d.yaml:4003:8: more than 4000 keys in one mapping\n\tsplit it\n"},
		{"keys in braces", "kind: entity\ntags: {" + numbered("k%d: 1, ", 4001) + "}\n", "d.yaml:2:38903: more than 4000 keys in one mapping\n\tsplit it\n"},
		{"as many keys, in mappings of their own", entity + "tags:\n" + numbered("  k%d: 1\n", 3000) + "---\n" + strings.ReplaceAll(entity, "user", "item") + "tags:\n" + numbered("  k%d: 1\n", 3000), ""},
		{"a line of dashes", "# " + strings.Repeat("-", 300) + "\n" + entity, ""},
		{"tab", "kind: entity\nname: user\njoin_keys:\n\t- {name: id}\n", "d.yaml:4:1: not YAML: found character '\t' that cannot start any token\n\tindent YAML with spaces\n"},
		{"colon", "kind: entity\ndescription: a: b\n", "d.yaml:2:14: not YAML: mapping value is not allowed in this context\n\tquote the text, or fix its indentation\n"},
		{"quote", "kind: entity\nname: \"user\n", "d.yaml:2:7: not YAML: could not find end character of double-quoted text\n\tclose the quote or bracket that opens here\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			archive := &txtar.Archive{Files: []txtar.File{{Name: "d.yaml", Data: []byte(c.content)}}}
			if got := report(check(t, archive)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// numbered repeats a format with the numbers from 0 on.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestSQLThatIsNoText(t *testing.T) {
	for sql, want := range map[string]string{
		"\ufeffselect id, ts, x from events":          "view v reads events; keys id int64; event \"ts\" created \"\" available event\n",
		"select id, ts, x,\n 'caf\xe9' from events":   "v.sql:2:6: byte 0xe9 is not UTF-8\n\tsave the file as UTF-8\n",
		"select id, ts, x from events\x00 where nope": "v.sql:1:29: control character 0x00 in the file\n\tremove it\n",
	} {
		if got := report(check(t, oneView(sql))); got != want {
			t.Errorf("%q: got %q, want %q", sql, got, want)
		}
	}
}

// What is wrong with a value is said once, and nothing follows from it.
func TestOneMistakeIsReportedOnce(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"source of a wrong shape", "source: weather", "source: [weather]", "source must be text, not a list"},
		{"name by a variable that is not set", "name: churn", "name: ${UNSET}", "the variable UNSET is not set"},
		{"event time of a wrong shape", "event_timestamp: invoice_date\ncreated_timestamp: loaded_at", "event_timestamp: [x]\ncreated_timestamp: loaded_at", "event_timestamp must be text, not a list"},
		{"event time that is empty", "event_timestamp: invoice_date\ncreated_timestamp: loaded_at", "event_timestamp:\ncreated_timestamp: loaded_at", "event_timestamp is empty"},
		{"kind of a wrong shape", "kind: feature_service\nname: churn", "kind: [x]\nname: churn", "kind must be text, not a list"},
		{"flag of a wrong shape", "owner: growth", "online: [x]\nowner: growth", "online must be text, not a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := report(check(t, shopArchive(t, c.old, c.new)))
			hints := strings.Count(got, "\n\t")
			if strings.Count(got, "\n")-hints != 1 || !strings.Contains(got, c.want) {
				t.Errorf("got\n%swant only %q", got, c.want)
			}
		})
	}
}
