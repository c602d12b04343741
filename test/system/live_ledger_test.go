package system

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// ledger knows what requests may be answered with, and when. The driver of a test writes into it before it runs a
// command what that command may make seen, and after it that it has; readers check each answer against it. Two
// orders hold: of the states of the registry, which a server follows within seconds, and of the publications of each
// view version, which it sees at once. No request may be answered from before what an earlier one was answered from,
// nor from a publication before one whose command had ended when the request began.
type ledger struct {
	keys int // that exist: 0 … keys − 1

	mu       sync.Mutex // guards the rest, and what it points to
	states   []*names
	floor    int // no request that begins now may be answered from a state before this one
	logs     []*versionLog
	services map[string]map[int][]boundUse // by service and version

	answers, values, halfway, absent, refused int64 // answers checked; values in them; …with a run's values before it published; records rightly absent; right refusals
	kinds                                     map[string]int64
}

// names is what names stand for at one revision of the registry.
type names struct {
	by           string         // the command that makes it so
	head, serves map[string]int // views; a view that is not served yet is in head alone
	known        map[string]int // views: the highest version there is, of head and of the past
	inHead       map[string]bool
	services     map[string]int // that serve
	begun, ended time.Time      // of the command; ended is zero while it runs
	seen         time.Time      // by the first answer that no earlier state explains
}

// boundUse is a line of a service version.
type boundUse struct {
	originUse
	version int
}

// versionLog is what happened to one view version.
type versionLog struct {
	at           int // in ledger.logs
	view         string
	version      int
	publications []*publication
	floor        int // as ledger.floor; −1: none
}

// publication is a run of a view version, which was published or may be.
type publication struct {
	micros       int64 // P; no two runs of a test have the same
	epoch        int
	fresh        bool      // to a new generation: nothing of it is seen before it is published
	begun, ended time.Time // of the command; ended is zero while it runs, and where it was killed
	seen         time.Time // by the first answer
	generation   string    // as the first answer says
}

func newLedger(keys int) *ledger {
	return &ledger{keys: keys, floor: 0, services: map[string]map[int][]boundUse{}, kinds: map[string]int64{}}
}

// log returns the log of a view version.
func (l *ledger) log(view string, version int) *versionLog {
	for _, v := range l.logs {
		if v.view == view && v.version == version {
			return v
		}
	}
	v := &versionLog{at: len(l.logs), view: view, version: version, floor: -1}
	l.logs = append(l.logs, v)
	return v
}

// entry is what a request may not fall behind, as of its begin.
type entry struct {
	begun  time.Time
	state  int
	floors []int // by versionLog.at
}

// enter is called before a request is sent.
func (l *ledger) enter() entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry{begun: time.Now(), state: l.floor, floors: make([]int, len(l.logs))}
	for i, v := range l.logs {
		e.floors[i] = v.floor
	}
	return e
}

// output is one feature of an answer and where it must come from.
type output struct {
	name, view, feature, column string
	version                     int
}

// check says what is wrong with an answer. It has to be what one state of the registry makes of the request, and each
// view version's values have to be those of one publication, which the answer names, or, while a run into the same
// generation is under way, of that run.
func (l *ledger) check(e entry, q *ask, a *answer) error {
	ended := time.Now()
	l.mu.Lock()
	l.answers++
	l.kinds[q.kind]++
	outputs, err := l.explain(e, q, a, ended)
	if err != nil || a.code != "OK" {
		if err == nil {
			l.refused++
		}
		l.mu.Unlock()
		return err
	}
	from := map[*versionLog]*span{}
	for _, v := range a.views {
		log := l.log(v.name, v.version)
		s, err := l.locate(e, log, v, ended)
		if err != nil {
			l.mu.Unlock()
			return err
		}
		from[log] = s
	}
	spans := make([]*span, len(outputs))
	for i, o := range outputs {
		spans[i] = from[l.log(o.view, o.version)]
	}
	l.mu.Unlock()
	absent, halfway, err := l.checkValues(q, a, outputs, spans)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.values += int64(a.rows * len(outputs))
	l.absent += absent
	if halfway {
		l.halfway++
	}
	return err
}

// explain finds the earliest state of the registry that makes the answer what it is.
func (l *ledger) explain(e entry, q *ask, a *answer, ended time.Time) ([]output, error) {
	var tried []string
	for i := e.state; i < len(l.states); i++ {
		s := l.states[i]
		if s.begun.After(ended) {
			break
		}
		outputs, code := l.resolve(s, q)
		why := unlike(q, a, outputs, code, s)
		if why == "" {
			if s.seen.IsZero() {
				s.seen = ended
			}
			l.floor = max(l.floor, i)
			return outputs, nil
		}
		tried = append(tried, fmt.Sprintf("state %d (%s): %s", i, s.by, why))
	}
	return nil, fmt.Errorf("no state of the registry explains the answer %s %s\n  %s", a.code, a.message, strings.Join(tried, "\n  "))
}

// unlike says in what an answer differs from what a state makes of the request; "" if in nothing.
func unlike(q *ask, a *answer, outputs []output, code string, s *names) string {
	if a.code != code {
		return "the code would be " + code
	}
	if code != "OK" {
		return ""
	}
	if q.service != "" && (a.service != q.service || a.serviceVersion != s.services[q.service]) {
		return fmt.Sprintf("%s@%d would answer, not %s@%d", q.service, s.services[q.service], a.service, a.serviceVersion)
	}
	var views []string
	for i, o := range outputs {
		if i >= len(a.features) || a.features[i].name != o.name {
			return fmt.Sprintf("feature %d would be %s", i, o.name)
		}
		if ref := fmt.Sprintf("%s@%d", o.view, o.version); !slices.Contains(views, ref) {
			views = append(views, ref)
		}
	}
	if len(outputs) != len(a.features) {
		return fmt.Sprintf("there would be %d features, not %d", len(outputs), len(a.features))
	}
	var got []string
	for _, v := range a.views {
		got = append(got, fmt.Sprintf("%s@%d", v.name, v.version))
	}
	if !slices.Equal(views, got) {
		return fmt.Sprintf("%v would answer, not %v", views, got)
	}
	return ""
}

// resolve says what a request asks for in one state of the registry: its features, or the code it is refused with.
func (l *ledger) resolve(s *names, q *ask) ([]output, string) {
	if q.service != "" {
		version, ok := s.services[q.service]
		switch {
		case !s.inHead[q.service]:
			return nil, "NOT_FOUND"
		case !ok:
			return nil, "FAILED_PRECONDITION"
		}
		var out []output
		for _, u := range l.services[q.service][version] {
			for _, f := range originFeatures(u.version) {
				out = append(out, output{u.prefix + f[0], u.view, f[0], u.column, u.version})
			}
		}
		return out, "OK"
	}
	var out []output
	for _, ref := range q.refs {
		path, as, _ := strings.Cut(ref, "=")
		name, feature, _ := strings.Cut(path, ".")
		view, version, code := s.view(name)
		if code != "OK" {
			return nil, code
		}
		features := originFeatures(version)
		if feature != "*" {
			features = slices.DeleteFunc(slices.Clone(features), func(f [2]string) bool { return f[0] != feature })
		}
		if len(features) == 0 {
			if head, ok := s.head[view]; ok && head != version && hasFeature(head, feature) {
				return nil, "FAILED_PRECONDITION"
			}
			return nil, "NOT_FOUND"
		}
		for _, f := range features {
			o := output{f[0], view, f[0], "id", version}
			if as != "" {
				o.name = as
			}
			out = append(out, o)
		}
	}
	return out, "OK"
}

func hasFeature(version int, feature string) bool {
	return slices.ContainsFunc(originFeatures(version), func(f [2]string) bool { return f[0] == feature })
}

// view resolves the name of a view, view or view@version.
func (s *names) view(name string) (view string, version int, code string) {
	view, pinned, isPinned := strings.Cut(name, "@")
	if isPinned {
		_, _ = fmt.Sscan(pinned, &version) // version 0, which nothing has, where it is no number
		if version > s.known[view] {
			return "", 0, "NOT_FOUND"
		}
		return view, version, "OK"
	}
	if _, ok := s.head[view]; !ok {
		return "", 0, "NOT_FOUND"
	}
	if version = s.serves[view]; version == 0 {
		return "", 0, "FAILED_PRECONDITION"
	}
	return view, version, "OK"
}

// span is the epochs that one view version's values of one answer may come from: of the publication, or, all of
// them together, of one of the others.
type span struct {
	published int
	others    []int
}

// locate finds the publication that an answer names.
func (l *ledger) locate(e entry, log *versionLog, v viewAnswer, ended time.Time) (*span, error) {
	for i, p := range log.publications {
		if p.micros != v.published {
			continue
		}
		floor := -1
		if log.at < len(e.floors) {
			floor = e.floors[log.at]
		}
		if p.begun.After(ended) || i < floor {
			return nil, fmt.Errorf("%s@%d is answered from publication %d although %d was published before", v.name, v.version, i, floor)
		}
		if p.generation == "" {
			p.generation, p.seen = v.generation, ended
		}
		if p.generation != v.generation {
			return nil, fmt.Errorf("%s@%d publication %d has generation %s and %s", v.name, v.version, i, p.generation, v.generation)
		}
		log.floor = max(log.floor, i)
		return log.span(i, ended), nil
	}
	return nil, fmt.Errorf("%s@%d is answered as of %s, which no run published", v.name, v.version, time.UnixMicro(v.published).UTC())
}

// span returns what values may be of while a publication is the last one.
func (log *versionLog) span(i int, ended time.Time) *span {
	s := &span{published: log.publications[i].epoch}
	for _, later := range log.publications[i+1:] {
		if !later.fresh && !later.begun.After(ended) {
			s.others = append(s.others, later.epoch)
		}
	}
	return s
}

// begin notes a command that may publish view versions. The returned function notes its end.
func (l *ledger) begin(p publication, runs []versionRun) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.begun = time.Now()
	var begun []*publication
	var logs []*versionLog
	for _, run := range runs {
		mine := p
		mine.fresh = run.fresh
		log := l.log(run.view, run.version)
		log.publications = append(log.publications, &mine)
		begun, logs = append(begun, &mine), append(logs, log)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := range begun {
			begun[i].ended = time.Now()
			logs[i].floor = max(logs[i].floor, slices.Index(logs[i].publications, begun[i]))
		}
	}
}

// versionRun is a view version that a command runs.
type versionRun struct {
	view    string
	version int
	fresh   bool
}

// expect notes a state that the registry is about to take. The returned function notes the end of the command.
func (l *ledger) expect(n names) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.head, n.serves, n.known = maps.Clone(n.head), maps.Clone(n.serves), maps.Clone(n.known)
	n.inHead, n.services = maps.Clone(n.inHead), maps.Clone(n.services)
	n.begun = time.Now()
	l.states = append(l.states, &n)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		n.ended = time.Now()
	}
}
