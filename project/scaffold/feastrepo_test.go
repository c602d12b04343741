package scaffold

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/registry/definition"
)

// registered is what a Feast repo may have registered that is hardest to carry over.
const registered = `{"feast": "0.67.0", "repo": "/data/feast", "project": "Credit-Scoring",
 "entities": [
  {"name": "Zip", "key": "zipcode", "type": "INT64"},
  {"name": "dob_ssn", "key": "dob_ssn", "type": "STRING", "description": "born: and \"number\" ${HOME}"},
  {"name": "other", "key": "otherKey", "type": "UNKNOWN"}],
 "views": [
  {"name": "credit_history", "kind": "FeatureView", "entities": ["dob_ssn"], "ttl_seconds": 7776000, "online": true, "owner": "risk@example.com",
   "keys": [{"name": "dob_ssn", "type": "STRING"}], "tags": {"a: b": "1", "on": "yes"},
   "features": [{"name": "due", "type": "DOUBLE", "description": "# owed"}, {"name": "MissedPayments1Y", "type": "INT32_LIST"}, {"name": "raw", "type": "JSON"}, {"name": "map", "type": "MAP"}],
   "source": {"name": "", "kind": "FileSource", "path": "data/credit [1].parquet", "event": "event_timestamp", "created": "created", "rename": {"amount_due": "due"}}},
  {"name": "zipcode_features", "kind": "FeatureView", "entities": ["Zip"], "ttl_seconds": 0.5, "online": false,
   "keys": [{"name": "zipcode", "type": "INT64"}], "features": [{"name": "city", "type": "STRING"}],
   "source": {"name": "zips", "kind": "FileSource", "through": "PushSource", "path": "/tmp/zips.parquet", "event": "event_timestamp"}},
  {"name": "ZipcodeFeatures", "kind": "FeatureView", "entities": [], "online": true,
   "features": [{"name": "population", "type": "INT64"}],
   "source": {"name": "zips", "kind": "FileSource", "path": "/tmp/zips.parquet", "event": "event_timestamp"}},
  {"name": "warehouse", "kind": "FeatureView", "entities": ["Zip"], "features": [{"name": "x", "type": "INT64"}], "source": {"kind": "BigQuerySource"}},
  {"name": "far", "kind": "FeatureView", "entities": ["Zip"], "features": [{"name": "x", "type": "INT64"}], "source": {"kind": "FileSource", "path": "s3://b/x.parquet"}},
  {"name": "summed", "kind": "StreamFeatureView", "entities": ["Zip"], "transformed": true, "features": [{"name": "x", "type": "INT64"}], "source": {"kind": "FileSource", "path": "x.parquet"}},
  {"name": "delta", "kind": "FeatureView", "entities": ["Zip"], "features": [{"name": "x", "type": "INT64"}], "source": {"kind": "FileSource", "path": "x", "format": "DeltaFormat"}},
  {"name": "maps", "kind": "FeatureView", "entities": ["Zip"], "features": [{"name": "x", "type": "MAP"}], "source": {"name": "maps", "kind": "FileSource", "path": "x.parquet", "event": "at"}}],
 "on_demand": ["ratio"],
 "services": [
  {"name": "scoring", "features": [
    {"view": "credit_history", "features": ["due", "map", "MissedPayments1Y"]},
    {"view": "zipcode_features", "alias": "origin", "features": ["city"], "keys": {"zipcode": "origin_zip"}},
    {"view": "ratio", "features": ["r"]}]},
  {"name": "nothing", "features": [{"view": "warehouse", "features": ["x"]}]}]}`

// pythonThatWrites returns a command in the place of the Python that has Feast.
func pythonThatWrites(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatFeastHasRegisteredIsConverted(t *testing.T) {
	json := filepath.Join(t.TempDir(), "registered.json")
	if err := os.WriteFile(json, []byte(registered), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "moved")
	c, err := FromFeast(t.Context(), dir, "/data/feast", pythonThatWrites(t, "cat >/dev/null; echo noise >&2; cat "+json), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, definitionsFile))
	if err != nil {
		t.Fatal(err)
	}
	_, definitions, _ := strings.Cut(string(text), "kind: ")
	want := `entity
name: zip
join_keys: [{name: zipcode, type: int64}]
---
kind: entity
name: dob_ssn
join_keys: [{name: dob_ssn, type: string}]
description: "born: and \"number\" $${HOME}"
---
kind: entity
name: other
join_keys: [{name: other_key, type: string}] # guessed: Feast does not say; check
---
kind: source
name: zips
path: /tmp/zips.parquet
event_timestamp: event_timestamp
availability: event # as in Feast, which takes a row to be known at its event time
---
kind: feature_view
name: zipcode_features
entities: []
source: zips
features:
  - {name: population, type: int64}
---
kind: source
name: credit__1
path: "/data/feast/data/credit [[]1].parquet"
rename:
  MissedPayments1Y: missed_payments1y
  amount_due: due
event_timestamp: event_timestamp
created_timestamp: created
availability: event # as in Feast, which takes a row to be known at its event time
---
kind: feature_view
name: credit_history
entities: [dob_ssn]
source: credit__1
ttl: 90d
features:
  - {name: due, type: float64, description: "# owed"}
  - {name: missed_payments1y, type: list<int32>}
  - {name: raw, type: string}
owner: "risk@example.com"
tags:
  "a: b": "1"
  "on": "yes"
---
kind: feature_view
name: zipcode_features_2
entities: [zip]
source: zips
ttl: 500ms
features:
  - {name: city, type: string}
---
kind: feature_service
name: scoring
features:
  - credit_history.due
  - credit_history.missed_payments1y
  - {ref: zipcode_features_2.city, keys: {zipcode: origin_zip}, as: origin__city}
`
	if diff := cmp.Diff(want, definitions); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	notes := strings.Join(c.Notes, "\n")
	for _, what := range []string{
		"entity Zip is named zip here", "column otherKey is named other_key here", "column MissedPayments1Y is named missed_payments1y here",
		"view ZipcodeFeatures is named zipcode_features here", "view zipcode_features is named zipcode_features_2 here",
		"feature credit_history:raw: JSON is a string here", "feature credit_history:map: fstore has no type for Feast's MAP",
		"FeatureView zipcode_features: what a PushSource writes is not carried over", "FeatureView zipcode_features has online=False",
		"FeatureView warehouse: a BigQuerySource is not carried over", "FeatureView far: s3://b/x.parquet is not a file of this machine",
		"StreamFeatureView summed: its transformation or aggregation is not carried over", "FeatureView delta: Delta tables are not carried over",
		"FeatureView maps: it has no feature of a type that fstore has", "on-demand feature view ratio: Python is not carried over",
		"service scoring: the features of ratio are left out", "service nothing is left out", "Feast uses created to break ties alone",
	} {
		if !strings.Contains(notes, what) {
			t.Errorf("no note says %q:\n%s", what, notes)
		}
	}
	repo, err := definition.Load(dir, os.LookupEnv)
	if err != nil || len(repo.Problems) > 0 || len(repo.Views) != 3 {
		t.Errorf("%d views, problems %v: %v", len(repo.Views), repo.Problems, err)
	}
}

func TestWhatFeastCannotTell(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"no Feast":       {"echo 'this Python has no feast: x' >&2; exit 1", "could not read the Feast repo /data/feast: this Python has no feast: x"},
		"a traceback":    {"echo Traceback >&2; echo 'ValueError: y' >&2; exit 1", "could not read the Feast repo /data/feast: ValueError: y"},
		"not JSON":       {"echo Hello", "cannot be read: invalid character"},
		"nothing there":  {`echo '{"views": []}'`, "has no feature views registered (run feast apply there)"},
		"without an end": {"cat /dev/zero", "wrote more than 67,108,864 bytes about the Feast repo /data/feast"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "moved")
			_, err := FromFeast(context.Background(), dir, "/data/feast", pythonThatWrites(t, "cat >/dev/null\n"+c.script+"\n"), os.LookupEnv)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the folder was made")
			}
		})
	}
	_, err := FromFeast(context.Background(), t.TempDir(), "/data/feast", filepath.Join(t.TempDir(), "nowhere"), os.LookupEnv)
	if err == nil || !strings.Contains(err.Error(), "--python names the Python that has feast") {
		t.Error(err)
	}
}
