package system

import (
	"flag"
	"testing"
	"time"
)

var strict = flag.Bool("strict", false, "hold every call to 50 ms past its deadline, and every recovery to its time; the machine must have nothing else to do")

// patience is how long a test waits for what is promised within a time: that long with -strict, and otherwise a minute, because the
// machine may be busy.
func patience(promised time.Duration) time.Duration {
	if *strict {
		return promised
	}
	return time.Minute
}

// deadline is that of the calls. A client ends its call at the deadline by itself, so the server's own histogram shows
// whether the server took longer: bound is the bucket that must hold every call.
const deadline = 200 * time.Millisecond

func bound() string {
	if *strict {
		return "0.25"
	}
	return "2.5" // the machine may be busy
}

func down(kind string, attributes map[string]any) toxic {
	return toxic{Type: kind, Stream: "downstream", Attributes: attributes, Toxicity: 1}
}

func up(kind string, attributes map[string]any) toxic {
	return toxic{Type: kind, Stream: "upstream", Attributes: attributes, Toxicity: 1}
}

// Whatever becomes of the network between server and Redis, each call gets the right answer or an error, no later than
// its deadline. Once the network is well, the server answers everyone again, by itself.
func TestTheNetworkToRedisFails(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newNetworkShop(t)
	type attributes = map[string]any
	half := func(x toxic) toxic { x.Toxicity = 0.5; return x }
	for _, c := range []struct {
		name   string
		toxics []toxic
		answer string // what most calls get: "all", "some" or "none"
	}{
		{"latency", []toxic{down("latency", attributes{"latency": 50})}, "all"},
		{"latency_beyond_the_deadline", []toxic{down("latency", attributes{"latency": 1000})}, "none"},
		{"jitter_around_the_deadline", []toxic{down("latency", attributes{"latency": 200, "jitter": 180})}, "some"},
		{"jitter_of_what_is_sent", []toxic{up("latency", attributes{"latency": 100, "jitter": 100})}, "some"},
		{"data_stops", []toxic{down("timeout", attributes{"timeout": 0})}, "none"},
		{"requests_stop", []toxic{up("timeout", attributes{"timeout": 0})}, "none"},
		{"data_stops_then_closed", []toxic{down("timeout", attributes{"timeout": 100})}, "none"},
		{"reset", []toxic{down("reset_peer", attributes{"timeout": 0})}, "none"},
		{"reset_late", []toxic{down("reset_peer", attributes{"timeout": 150})}, "none"},
		{"half_are_reset", []toxic{half(down("reset_peer", attributes{"timeout": 0}))}, "some"},
		{"slow_drip", []toxic{down("slicer", attributes{"average_size": 40, "size_variation": 20, "delay": 100_000})}, "some"},
		{"small_pieces", []toxic{down("slicer", attributes{"average_size": 10, "size_variation": 5, "delay": 10})}, "all"},
		{"bandwidth", []toxic{down("bandwidth", attributes{"rate": 1})}, "some"},
		{"closed_in_an_answer", []toxic{down("limit_data", attributes{"bytes": 100})}, "none"},
		{"closed_in_a_later_answer", []toxic{down("limit_data", attributes{"bytes": 2000})}, "some"},
		{"slow_close", []toxic{down("slow_close", attributes{"delay": 500}), down("limit_data", attributes{"bytes": 2000})}, "some"},
		{"all_at_once", []toxic{
			down("latency", attributes{"latency": 20, "jitter": 20}), down("slicer", attributes{"average_size": 100, "size_variation": 50, "delay": 1000}),
			half(down("limit_data", attributes{"bytes": 3000})), up("bandwidth", attributes{"rate": 20}),
		}, "some"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.network.t, s.t = t, t
			before := gauges(t, s.served)
			s.network.spoil(c.toxics...)
			limit := deadline
			if c.answer == "all" {
				limit = within
			}
			got := s.crowd(8, 4, limit)
			s.network.heal()
			if n := s.slower(bound(), before); n > 0 && c.answer != "all" {
				t.Errorf("the server took longer than %s s for %v calls with a deadline of %s", bound(), n, deadline)
			}
			if c.answer == "all" && got.refused > 0 || c.answer == "none" && got.answered > 0 {
				t.Errorf("%d answered and %d refused, want %s answered", got.answered, got.refused, c.answer)
			}
			t.Logf("%d answered, %d refused, the latest %s after its deadline", got.answered, got.refused, got.latest)
			s.healthy(4 * time.Second)
		})
	}
	t.Run("refused", func(t *testing.T) {
		s.network.t, s.t = t, t
		s.network.down()
		before := gauges(t, s.served)
		if got := s.crowd(8, 20, deadline); got.answered > 0 || s.slower(bound(), before) > 0 {
			t.Errorf("%+v", got)
		}
		s.network.up()
		s.healthy(3 * time.Second)
	})
}
