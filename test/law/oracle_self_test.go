package law

import "testing"

// The corpus states its expectations by hand, so it tests the oracle as well.
func TestOracleAgreesWithTheCorpus(t *testing.T) {
	for _, c := range readCases(t, "testdata/*.case") {
		t.Run(c.name, func(t *testing.T) {
			if c.sql == "" {
				compare(t, &c, "oracle", c.oracle())
			}
		})
	}
}

// compare fails where values differ from what the case expects.
func compare(t *testing.T, c *testCase, engine string, got [][]any) {
	t.Helper()
	if len(got) != len(c.labels) {
		t.Fatalf("%s:%d %s: %s: %d rows for %d labels", c.file, c.line, c.name, engine, len(got), len(c.labels))
	}
	for i := range c.labels {
		for f := range c.view.Features {
			if !same(got[i][f], c.expected[i][f]) {
				t.Errorf("%s:%d %s: %s: label %v at %d: %s = %v, want %v", c.file, c.line, c.name, engine,
					c.labels[i].key, c.labels[i].at, c.view.Features[f].Name, got[i][f], c.expected[i][f])
			}
		}
	}
}
