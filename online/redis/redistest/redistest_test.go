package redistest

import (
	"testing"
)

func TestSentinelsFailOver(t *testing.T) {
	s := NewSentinels(t, Config{})
	t.Log(s.URL)
	first := s.Primary()
	if err := first.do("set", "k", "1"); err != nil {
		t.Fatal(err)
	}
	s.Settle()
	s.StopReplication()
	if err := first.do("set", "k", "2"); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Replicas() {
		if got, err := r.reply("get", "k"); err != nil || got != "1" {
			t.Errorf("a replica has %v, %v", got, err)
		}
	}
	first.Kill()
	second := s.Failover(first)
	if got, err := second.reply("get", "k"); err != nil || got != "1" {
		t.Errorf("the new primary has %v, %v", got, err)
	}
	s.ResumeReplication()
	first.Restart()
	s.Settle()
	s.Promote(first)
	if got, err := first.reply("get", "k"); err != nil || got != "1" {
		t.Errorf("the old primary has %v, %v", got, err)
	}
	s.Settle()
}
