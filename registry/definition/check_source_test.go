package definition_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore/registry/definition"
)

// repoAt is a repo of one source at a path, which has the given columns under that path, and a view of it.
func repoAt(path, columns string) *txtar.Archive {
	return txtar.Parse([]byte(`-- d.yaml --
kind: entity
name: user
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: "` + path + `"
event_timestamp: ts
---
kind: feature_view
name: v
entities: [user]
source: events
features: [{name: x, type: float64}]
-- tables --
` + path + ": " + columns + "\n"))
}

// A source is checked however its path is written, as long as it can be read.
func TestChecksHoldWhateverVariablesThePathHas(t *testing.T) {
	for _, path := range []string{"x.parquet", "${SET}/x.parquet", "${SET_1}/${SET_2}.parquet", "${NOT_SET:-data}/x.parquet", "a$${b}/x.parquet"} {
		for _, c := range []struct{ columns, want string }{
			{"id BIGINT; ts TIMESTAMP; x DOUBLE", ""},
			{"id BIGINT; ts TIMESTAMP; y DOUBLE", `d.yaml:14:19: feature x: source events has no column "x"`},
			{"id BIGINT; ts TIMESTAMP; x VARCHAR", "d.yaml:14:19: feature x: column x is VARCHAR, which does not convert to float64"},
			{"id VARCHAR; ts TIMESTAMP; x DOUBLE", "join key id: column id is VARCHAR, which does not convert to int64"},
			{"id BIGINT; ts DATE; x DOUBLE", "d.yaml:8:18: column ts is a DATE"},
			{"id BIGINT; at TIMESTAMP; x DOUBLE", `d.yaml:8:18: source events has no column "ts"`},
		} {
			d, err := check(t, repoAt(path, c.columns))
			switch {
			case c.want == "" && (err != nil || len(d.Unchecked) > 0):
				t.Errorf("%s with %s: %v, unchecked: %v", path, c.columns, err, d.Unchecked)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s with %s: got %v, want %s", path, c.columns, err, c.want)
			}
		}
	}
}

// Where a variable is not set there is nothing to check, and this is said. All else is checked.
func TestASourceThatCannotBeCheckedIsNamed(t *testing.T) {
	for _, path := range []string{"${UNKNOWN}/x.parquet", "${SET}/${UNKNOWN}.parquet"} {
		d, err := check(t, repoAt(path, "id VARCHAR; ts DATE"))
		if err != nil {
			t.Fatal(err)
		}
		const want = "d.yaml:7:7: source events and the views that read it are not checked: the variable UNKNOWN is not set (export UNKNOWN=…, or give a default: ${UNKNOWN:-default})"
		if got := d.Unchecked.Error(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	bad := repoAt("${UNKNOWN}/x.parquet", "id BIGINT; ts TIMESTAMP; x DOUBLE")
	bad.Files[0].Data = []byte(strings.Replace(string(bad.Files[0].Data), "[user]", "[usr]", 1))
	if _, err := check(t, bad); err == nil || !strings.Contains(err.Error(), `unknown entity "usr"`) {
		t.Errorf("got %v", err)
	}
	for _, path := range []string{"${1}/x", "${/x", "$${a}${"} {
		_, err := check(t, repoAt(path, "id BIGINT; ts TIMESTAMP; x DOUBLE"))
		var problems definition.Problems
		if problems, _ = err.(definition.Problems); len(problems) != 1 || !strings.Contains(problems[0].Message, "is not a variable") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
