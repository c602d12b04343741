package registry_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/memory"
	"github.com/fstore-dev/fstore/registry/registrytest"
)

// pager keeps alerts of one condition for two targets: ops wants every event, data only drift.
type pager struct {
	t   *testing.T
	db  *registry.Store
	now time.Time
}

func newPager(t *testing.T) *pager {
	p := &pager{t, open(t), epoch}
	apply(t, p.db, shop(t))
	return p
}

func everything(string) bool  { return true }
func driftOnly(e string) bool { return e == "drift" }

func (p *pager) update(u registry.AlertUpdate) []registry.SendAlert {
	p.t.Helper()
	if u.Targets == nil {
		u.Targets = []registry.AlertTarget{{Name: "ops", Wants: everything}, {Name: "data", Wants: driftOnly}}
	}
	u.Now, u.Most = p.now, 10
	if u.Claim == 0 {
		u.Claim = time.Minute
	}
	send, err := p.db.UpdateAlerts(p.t.Context(), "shop", u)
	if err != nil {
		p.t.Fatal(err)
	}
	return send
}

func found(firing bool) []registry.FoundAlert {
	return []registry.FoundAlert{{Name: "c", Event: "check_failed", Firing: firing, Message: json.RawMessage(fmt.Sprint(firing))}}
}

// find reports the condition and says that every message was taken, or not. It returns what was sent.
func (p *pager) find(firing, taken bool) (sent []string) {
	p.t.Helper()
	p.now = p.now.Add(time.Hour)
	send := p.update(registry.AlertUpdate{Found: found(firing)})
	done := make([]registry.SentAlert, len(send))
	for i, s := range send {
		sent = append(sent, fmt.Sprintf("%s %s", s.Target, s.Alert.Message))
		done[i] = registry.SentAlert{SendAlert: s, Done: taken}
	}
	p.update(registry.AlertUpdate{Sent: done, Claim: -1})
	return sent
}

func (p *pager) want(got []string, want ...string) {
	p.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("got %v, want %v", got, want)
	}
}

func (p *pager) kept() int {
	p.t.Helper()
	all, err := p.db.Alerts(p.t.Context(), "shop")
	if err != nil {
		p.t.Fatal(err)
	}
	return len(all)
}

func TestEachChangeOfAnAlertIsSentOnce(t *testing.T) {
	p := newPager(t)
	before := revision(t, p.db).Number
	p.want(p.find(false, true)) // nothing ever fired
	p.want(p.find(true, true), "ops true")
	p.want(p.find(true, true))
	p.want(p.find(false, true), "ops false")
	p.want(p.find(false, true))
	if n := p.kept(); n != 0 {
		t.Errorf("%d alerts are kept although everybody knows that nothing fires", n)
	}
	p.want(p.find(true, true), "ops true")
	if after := revision(t, p.db).Number; after != before {
		t.Errorf("alerts changed the revision from %d to %d", before, after)
	}
}

func TestWhatWasNotTakenIsSentAgain(t *testing.T) {
	p := newPager(t)
	p.want(p.find(true, false), "ops true")
	all, err := p.db.Alerts(t.Context(), "shop")
	if err != nil || len(all) != 1 || all[0].Told["ops"].Failed != 1 {
		t.Fatal(all, err)
	}
	change := all[0].Change
	p.want(p.find(true, true), "ops true")
	if all, err = p.db.Alerts(t.Context(), "shop"); err != nil || all[0].Change != change {
		t.Error("the message has another identity the second time", all, err)
	}
	p.want(p.find(false, false), "ops false")
	p.want(p.find(false, true), "ops false")
	// A target that was sent that something fires may know, although it did not say so.
	p.want(p.find(true, false), "ops true")
	p.want(p.find(false, true), "ops false")
	if n := p.kept(); n != 0 {
		t.Errorf("%d alerts are kept", n)
	}
}

func TestNewAndRemovedTargets(t *testing.T) {
	p := newPager(t)
	p.want(p.find(true, true), "ops true")
	late := []registry.AlertTarget{{Name: "late", Wants: everything}}
	send := p.update(registry.AlertUpdate{Found: found(true), Targets: late})
	if len(send) != 1 || send[0].Target != "late" {
		t.Errorf("a new target is sent %v, want what fires", send)
	}
	// Its events change: it still gets the end of what it was sent.
	p.update(registry.AlertUpdate{Sent: []registry.SentAlert{{SendAlert: send[0], Done: true}}, Targets: late, Claim: -1})
	none := []registry.AlertTarget{{Name: "late", Wants: driftOnly}}
	send = p.update(registry.AlertUpdate{Found: found(false), Targets: none})
	if len(send) != 1 || send[0].Alert.Firing {
		t.Errorf("got %v, want the end", send)
	}
	p.update(registry.AlertUpdate{Sent: []registry.SentAlert{{SendAlert: send[0], Done: true}}, Targets: none})
	// A target that this process does not have gets the end from one that has it.
	if n := p.kept(); n != 1 {
		t.Errorf("%d alerts are kept, want the one of whose end ops does not know", n)
	}
	send = p.update(registry.AlertUpdate{})
	if len(send) != 1 || send[0].Target != "ops" || send[0].Alert.Firing {
		t.Errorf("got %v, want the end for ops", send)
	}
	p.update(registry.AlertUpdate{Sent: []registry.SentAlert{{SendAlert: send[0], Done: true}}, Claim: -1})
	if n := p.kept(); n != 0 {
		t.Errorf("%d alerts are kept", n)
	}
}

// A target that is gone for good does not keep the end of a condition for ever.
func TestTheEndIsForgotten(t *testing.T) {
	p := newPager(t)
	p.want(p.find(true, true), "ops true")
	none := []registry.AlertTarget{{Name: "late", Wants: everything}}
	p.update(registry.AlertUpdate{Found: found(false), Targets: none})
	p.now = p.now.AddDate(0, 0, 30)
	p.update(registry.AlertUpdate{Targets: none})
	if n := p.kept(); n != 1 {
		t.Errorf("%d alerts are kept after 30 days", n)
	}
	p.now = p.now.Add(time.Second)
	p.update(registry.AlertUpdate{Targets: none})
	if n := p.kept(); n != 0 {
		t.Errorf("%d alerts are kept after more than 30 days", n)
	}
}

func TestOlderDataResolvesNothing(t *testing.T) {
	p := newPager(t)
	at := func(firing bool, day int) int {
		f := found(firing)
		f[0].At = epoch.AddDate(0, 0, day)
		send := p.update(registry.AlertUpdate{Found: f})
		for _, s := range send {
			p.update(registry.AlertUpdate{Sent: []registry.SentAlert{{SendAlert: s, Done: true}}, Claim: -1})
		}
		return len(send)
	}
	for i, c := range []struct {
		firing    bool
		day, want int
	}{{true, 2, 1}, {false, 1, 0}, {true, 3, 0}, {false, 2, 0}, {false, 3, 1}} {
		if got := at(c.firing, c.day); got != c.want {
			t.Errorf("step %d sends %d messages, want %d", i, got, c.want)
		}
	}
}

// A process that ends between its claim and its answer loses the claim after a while, and then another one sends.
func TestAClaimEnds(t *testing.T) {
	p := newPager(t)
	first := p.update(registry.AlertUpdate{Found: found(true)})
	p.now = p.now.Add(59 * time.Second)
	if send := p.update(registry.AlertUpdate{Found: found(true)}); len(first) != 1 || len(send) != 0 {
		t.Fatalf("got %v after %v", send, first)
	}
	p.now = p.now.Add(time.Second)
	second := p.update(registry.AlertUpdate{Found: found(true)})
	if len(second) != 1 || second[0].Alert.Change != first[0].Alert.Change {
		t.Fatalf("got %v", second)
	}
	// The first process comes back: it has no say any more.
	p.update(registry.AlertUpdate{Sent: []registry.SentAlert{{SendAlert: first[0], Done: true}}, Claim: -1})
	if all, err := p.db.Alerts(t.Context(), "shop"); err != nil || all[0].Told["ops"].Done {
		t.Error(all, err)
	}
}

// A change that is found while another process sends is sent by that process, or by the next, and never at the same time.
func TestAChangeWhileAnotherSends(t *testing.T) {
	p := newPager(t)
	first := p.update(registry.AlertUpdate{Found: found(true)})
	if send := p.update(registry.AlertUpdate{Found: found(false)}); len(send) != 0 {
		t.Fatalf("%v overtakes", send)
	}
	send := p.update(registry.AlertUpdate{Sent: []registry.SentAlert{{SendAlert: first[0], Done: true}}})
	if len(send) != 1 || send[0].Alert.Firing {
		t.Errorf("got %v, want the end", send)
	}
}

// Many processes find the same at once, in any registry: one of them is to send it.
func TestOneOfManySends(t *testing.T) {
	storage := memory.New()
	registrytest.Apply(t, registry.New(storage.Open("first")), shop(t))
	var wait sync.WaitGroup
	sends := make([]int, 16)
	for i := range sends {
		wait.Go(func() {
			db := registry.New(storage.Open(fmt.Sprint(i)))
			send, err := db.UpdateAlerts(t.Context(), "shop", registry.AlertUpdate{
				Found: found(true), Targets: []registry.AlertTarget{{Name: "ops", Wants: everything}}, Now: epoch, Claim: time.Minute, Most: 10,
			})
			if err != nil {
				t.Error(err)
			}
			sends[i] = len(send)
		})
	}
	wait.Wait()
	total := 0
	for _, n := range sends {
		total += n
	}
	if total != 1 {
		t.Errorf("%d of %d processes send", total, len(sends))
	}
}

// A target that is behind gets the oldest first, and so many at a time.
func TestABacklogIsSentInParts(t *testing.T) {
	p := newPager(t)
	for i := range 25 {
		p.now = p.now.Add(time.Second)
		f := registry.FoundAlert{Name: fmt.Sprintf("c%02d", 24-i), Event: "late", Firing: true, Message: json.RawMessage("1")}
		p.update(registry.AlertUpdate{Found: []registry.FoundAlert{f}, Claim: -1})
	}
	var sizes []int
	for range 4 {
		send := p.update(registry.AlertUpdate{})
		sizes = append(sizes, len(send))
		if len(sizes) == 1 && send[0].Alert.Name != "c24" {
			t.Errorf("%s is sent first", send[0].Alert.Name)
		}
		var sent []registry.SentAlert
		for _, s := range send {
			sent = append(sent, registry.SentAlert{SendAlert: s, Done: true})
		}
		p.update(registry.AlertUpdate{Sent: sent, Claim: -1})
	}
	if fmt.Sprint(sizes) != "[10 10 5 0]" {
		t.Error(sizes)
	}
}
