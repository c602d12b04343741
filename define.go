package fstore

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Field is a name and a type.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Meta is the documentation of a definition. It never changes a value, so it makes no new version.
type Meta struct {
	Description string            `json:"description,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// Entity is a thing that features describe. A composite key is one entity with several join keys.
type Entity struct {
	Name     string  `json:"name"`
	JoinKeys []Field `json:"join_keys"`
	Meta
}

// Available says when a row became known (docs/definitions.md, availability).
type Available struct {
	Created bool     `json:"created,omitempty"` // at its created time (a null one counts as the event time)
	Lag     Duration `json:"lag,omitzero"`      // otherwise: at its event time plus this
	Stated  bool     `json:"stated,omitempty"`  // the definition states it; false: it is the default, or an older build did not record it
}

// IsEvent reports whether rows are available at their event time itself.
func (a Available) IsEvent() bool { return !a.Created && a.Lag == 0 }

// CheckDay returns the error for an event column that holds days although no availability is stated: a day does not
// say when a row became known. in names the file, and may be empty.
func (a Available) CheckDay(column, in string) *Error {
	if a.Stated {
		return nil
	}
	if in != "" {
		in = " in " + in
	}
	return Errorf(ErrInvalid, "column %s is a DATE%s, which does not say when in the day a row is known", column, in).
		WithHint("availability: event + 1d when a row sums up its day, event when it is known at 00:00")
}

// String writes the availability as definitions do.
func (a Available) String() string {
	switch {
	case a.Created:
		return "created"
	case a.Lag == 0:
		return "event"
	}
	return "event + " + a.Lag.String()
}

// Source is rows in Parquet files. Event is empty for a static table, which holds for all time.
type Source struct {
	Name      string            `json:"name"`
	Path      string            `json:"path"`                       // as written: before ${VAR} is replaced, and relative to the repo
	Rename    map[string]string `json:"rename,omitempty"`           // column in the files → name in fstore
	Optional  []string          `json:"optional_columns,omitempty"` // by name in fstore, in name order: null in files that lack them
	Event     string            `json:"event_timestamp,omitempty"`
	Created   string            `json:"created_timestamp,omitempty"`
	Available Available         `json:"available,omitzero"` // the effective one, with defaults filled in
	Expect    []Expectation     `json:"-"`                  // kept apart from the definition: see Expectations
	Meta
}

// Static reports whether the source holds for all time.
func (s *Source) Static() bool { return s.Event == "" }

// Feature is one named value of a view.
type Feature struct {
	Name       string  `json:"name"`
	Type       Type    `json:"type"`
	Column     string  `json:"column,omitempty"`     // of the source or of the SQL's output; by default the name
	Default    *Value  `json:"default,omitempty"`    // sent for missing and null values; nil: none
	Window     *Window `json:"window,omitempty"`     // of a windowed view: what the feature aggregates; Column is then empty
	Expression string  `json:"expression,omitempty"` // of an on-demand view: how it is computed; Column is then empty

	Expect []Expectation `json:"-"` // kept apart from the definition: see Expectations
	Drift  *DriftRule    `json:"-"` // likewise; nil: as its view
	Meta
}

// View is a named group of features of one entity set: a history of rows from a source or by SQL.
type View struct {
	Name      string    `json:"name"`
	Entities  []string  `json:"entities"`         // [] is one global record that every label matches
	Keys      []Field   `json:"keys"`             // the union of the entities' join keys, in name order
	Source    string    `json:"source,omitempty"` // the source whose columns it takes as they are, or
	SQL       string    `json:"sql,omitempty"`    // the text of its query
	SQLFile   string    `json:"sql_file,omitempty"`
	Inputs    []string  `json:"inputs"`                      // the sources and views that it reads directly, in name order
	Event     string    `json:"event_timestamp,omitempty"`   // of the SQL's output or the source; "" makes it static
	Created   string    `json:"created_timestamp,omitempty"` // likewise
	Available Available `json:"available,omitzero"`          // the effective one for the view's rows, with defaults filled in
	TTL       *Duration `json:"ttl,omitempty"`               // nil: values never expire
	Publish   *Publish  `json:"publish,omitempty"`           // nil: published continuously
	Features  []Feature `json:"features"`                    // as declared; a record holds them in name order
	Offline   bool      `json:"offline,omitempty"`           // online: false, an intermediate: never served or materialized

	Expect []Expectation `json:"-"` // kept apart from the definition: see Expectations
	Drift  *DriftRule    `json:"-"` // likewise, of its features; nil: the defaults
	Meta
}

// Static reports whether the view's rows hold for all time and have no event time.
func (v *View) Static() bool { return v.Event == "" }

// Windowed reports whether the view's features aggregate its rows over windows. Then all of them do.
func (v *View) Windowed() bool { return len(v.Features) > 0 && v.Features[0].Window != nil }

// FeatureNames returns the names of the view's features, in their order.
func (v *View) FeatureNames() []string {
	names := make([]string, len(v.Features))
	for i, f := range v.Features {
		names[i] = f.Name
	}
	return names
}

// Feature returns the feature of a name, or nil.
func (v *View) Feature(name string) *Feature { return featureOf(v.Features, name) }

func featureOf(features []Feature, name string) *Feature {
	for i := range features {
		if features[i].Name == name {
			return &features[i]
		}
	}
	return nil
}

// ViewRef names a version of a view (or of a service): customer_orders@3.
type ViewRef struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

func (r ViewRef) String() string { return r.Name + "@" + strconv.Itoa(r.Version) }

// Compare orders references by name, then by version.
func (r ViewRef) Compare(o ViewRef) int {
	return cmp.Or(strings.Compare(r.Name, o.Name), r.Version-o.Version)
}

// ParseRef reads "name" (version 0: whichever serves) or "name@3".
func ParseRef(s string) (ViewRef, error) {
	name, version, found := strings.Cut(s, "@")
	if !found {
		return ViewRef{Name: name}, CheckName(name)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(version, "v"))
	if err != nil || n < 1 {
		return ViewRef{}, Errorf(ErrInvalid, "%q: %q is not a version", s, version).WithHint("for example %s@1", name)
	}
	if err := CheckName(name); err != nil {
		return ViewRef{}, Errorf(ErrInvalid, "%q: %s", s, err.(*Error).Message).WithHint(nameHint)
	}
	return ViewRef{name, n}, nil
}

// maxName is the maximum length of a name: with a version appended, it becomes the name of a folder.
const maxName = 128

// CheckName returns an error unless a name has the form [a-z][a-z0-9_]* and at most 128 bytes.
func CheckName(s string) error {
	if s == "" {
		return Errorf(ErrInvalid, "a name is empty").WithHint(nameHint)
	}
	if len(s) > maxName {
		return Errorf(ErrInvalid, "%.20q… is a name of %d bytes; the limit is %d", s, len(s), maxName).WithHint("a shorter one; a description can say more")
	}
	for i, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_') {
			continue
		}
		return Errorf(ErrInvalid, "%q is not a name", s).WithHint(nameHint)
	}
	return nil
}

const nameHint = "lower-case letters, digits and _, beginning with a letter"

// ViewVersion is an immutable version of a view with everything needed to compute it: the sources and upstream views
// that it reads, directly or indirectly, as they were when the version was made.
type ViewVersion struct {
	Ref         ViewRef  `json:"ref"`
	Fingerprint string   `json:"fingerprint"` // hex sha256
	View        View     `json:"view"`
	Sources     []Source `json:"sources"`         // in name order
	Views       []View   `json:"views,omitempty"` // upstream views, each after those that it reads
}

// Source returns the source of a name, or nil.
func (v *ViewVersion) Source(name string) *Source {
	for i := range v.Sources {
		if v.Sources[i].Name == name {
			return &v.Sources[i]
		}
	}
	return nil
}

// KeyBinding says which column of labels or requests holds a join key of a view.
type KeyBinding struct {
	Key    Field  `json:"key"`
	Column string `json:"column"`
}

// ViewUse is a view version looked up by one key role: the same view by origin and by destination is two uses.
type ViewUse struct {
	Version *ViewVersion `json:"version"`
	Keys    []KeyBinding `json:"keys"` // in the order of View.Keys, that is by key name
}

// FeatureList is the resolved form of a service, a model or a request: the ordered features and the exact view
// versions that they come from. Training sets and online answers need nothing else.
type FeatureList struct {
	Service  ViewRef            `json:"service,omitzero"`    // the service that it comes from, if any
	Model    ModelRef           `json:"model,omitzero"`      // the model that it is pinned to, if any
	Uses     []ViewUse          `json:"uses"`                // of outputs and of on-demand views
	OnDemand []*OnDemandVersion `json:"on_demand,omitempty"` // each after those that it reads
	Request  map[string]string  `json:"request,omitempty"`   // request column → the name under which callers send it, if another
	Outputs  Outputs            `json:"outputs"`

	MaxStaleness *MaxStaleness `json:"-"` // of the service; nil: none
}

// Feature returns the type, the default and the description of output i; nil if its view has no such feature.
func (l *FeatureList) Feature(i int) *Feature { return l.Outputs[i].definition(l) }

// KeyColumns returns the columns of labels or of a request that the list needs, in name order.
func (l *FeatureList) KeyColumns() []Field {
	seen := map[string]Field{}
	for _, u := range l.Uses {
		for _, k := range u.Keys {
			seen[k.Column] = Field{k.Column, k.Key.Type}
		}
	}
	out := make([]Field, 0, len(seen))
	for _, f := range seen {
		out = append(out, f)
	}
	SortFields(out)
	return out
}

// FeatureRef is an entry of a service as its definition writes it.
type FeatureRef struct {
	View    string            `json:"view"`
	Feature string            `json:"feature"`          // "*" means every feature of the view, in declared order
	As      string            `json:"as,omitempty"`     // output name
	Prefix  string            `json:"prefix,omitempty"` // put before the output names
	Keys    map[string]string `json:"keys,omitempty"`   // join key → column, if the names differ
}

// Service is the ordered list of features one model uses.
type Service struct {
	Name         string            `json:"name"`
	Features     []FeatureRef      `json:"features"`
	Request      map[string]string `json:"request,omitempty"`       // request column → the name under which callers send it, if another
	MaxStaleness *MaxStaleness     `json:"max_staleness,omitempty"` // nil: answers may be as of any instant
	Monitor      *Monitor          `json:"monitor,omitempty"`       // nil: the defaults
	Meta
}

// What fstore monitor can compare with a training set.
const (
	MonitorStore  = "store"  // what is published
	MonitorServed = "served" // what servers answered
)

// Monitor says how fstore monitor watches the models of a service. It changes no value, so it belongs to the name of a service and
// not to a version.
type Monitor struct {
	Reference string   `json:"reference,omitempty"` // training set that current values are compared with; empty: the one that each model is pinned to
	Current   string   `json:"current,omitempty"`   // MonitorStore or MonitorServed; empty: MonitorStore
	Window    Duration `json:"window,omitempty"`    // of the served log: only answers of this length of time; 0: all
	By        string   `json:"by,omitempty"`        // of the served log: also compare each hour, day, week or month; empty: no
	FailOn    *float64 `json:"fail_on,omitempty"`   // share of the features, from 0 and below 1, beyond which their drift is an alarm; nil: the default

	Drift map[string]DriftThreshold `json:"drift,omitempty"` // by CHECK for all features, FEATURE.CHECK, or FEATURE (off or auto)
}

// MaxStaleness bounds how long ago the view versions of an answer may have been published. It changes no value, so it belongs to
// the name of a service and not to a version.
type MaxStaleness struct {
	Age    Duration    `json:"age"`
	Beyond BeyondBound `json:"beyond"`
}

// BeyondBound says what becomes of an answer from data that is older than its MaxStaleness.
type BeyondBound string

// What may become of it.
const (
	BeyondFlag   BeyondBound = "flag"   // it says which of its views are stale
	BeyondRefuse BeyondBound = "refuse" // the request fails
)

// String writes the bound as plan shows it: 36h, then refuse.
func (m *MaxStaleness) String() string {
	if m == nil {
		return ""
	}
	return m.Age.String() + ", then " + string(m.Beyond)
}

// Exceeds reports whether data published at an instant is staler at now than the bound allows. A bound of nil allows any.
func (m *MaxStaleness) Exceeds(published, now time.Time) bool {
	return m != nil && now.Sub(published) > time.Duration(m.Age)
}

// Generation is one copy of a view version's data in the online store: 8 random bytes in hex.
type Generation string

// String returns the schedule in words: every 1d at 6h + 10m.
func (p *Publish) String() string {
	s := "every " + p.Every.String()
	if p.Offset > 0 {
		s += " at " + p.Offset.String()
	}
	if p.Delay > 0 {
		s += " + " + p.Delay.String()
	}
	return s
}

// RecordLayout is the layout of the records that this build writes; see Pointer.Layout.
const RecordLayout = 2

// Pointer says which generation of a view version answers, and as of when. The fingerprint reveals data of another
// registry, whose customer_orders@1 may have another definition.
type Pointer struct {
	Generation  Generation `json:"generation"`
	Published   time.Time  `json:"published"`
	Servable    time.Time  `json:"servable,omitzero"`  // Publish.ServableFrom(Published); zero where Layout is 0
	MaxEvent    time.Time  `json:"max_event,omitzero"` // the greatest event time of the records; zero: unknown, they have none of their own, or it has no year from 0 to 9999
	Fingerprint string     `json:"fingerprint"`
	Layout      int        `json:"layout,omitempty"`     // of the generation's records; 0: written before there were checksums
	Run         string     `json:"run,omitempty"`        // the run that published; empty where Partitions is 0
	Partitions  int        `json:"partitions,omitempty"` // of the generation, each with a fence; 0: written before there were fences
	Number      int64      `json:"number,omitempty"`     // counts the publications of the version from 1; 0 where Partitions is 0

	Damaged string `json:"-"` // the stored bytes if they are not a readable pointer ("(no bytes)" if empty); all other fields are then zero
}

// Serves reports whether a view version is published from exactly this definition.
func (p Pointer) Serves(v *ViewVersion) bool {
	return p.Fingerprint != "" && p.Fingerprint == v.Fingerprint
}

// WentBackTo reports whether a store that showed pointer p and shows q now has lost publications: it failed over to a
// replica that lacked them, or was restored or emptied. Publications only count up, also those that rewind.
func (p Pointer) WentBackTo(q Pointer) bool {
	return p.Number > 0 && q.Number > 0 && (q.Number < p.Number || q.Number == p.Number && q.Run != p.Run)
}

// Header is the online store's own record about one generation of a view version (docs/materialize.md). It is stored
// with the data, so if the store goes back in time, its header does too.
type Header struct {
	View        ViewRef    `json:"view"`
	Generation  Generation `json:"generation"`
	Fingerprint string     `json:"fingerprint"`
	Layout      int        `json:"layout,omitempty"`     // of its records; see Pointer
	Partitions  int        `json:"partitions,omitempty"` // see Pointer. An fstore without fences cannot write such a header, and so leaves the generation alone
	Published   time.Time  `json:"published,omitzero"`   // the last publication of this generation; zero: none yet
	Run         string     `json:"run"`                  // the last run that wrote to it
	RunAt       time.Time  `json:"run_at"`               // the P of that run
	Token       string     `json:"token"`                // of the lease whose holder may write to it
	Watermark   []byte     `json:"watermark,omitempty"`  // only where Partitions is 0: Run has finished the keys up to here
	Complete    bool       `json:"complete,omitempty"`   // Run is published
}

// String names the generation for messages.
func (h *Header) String() string { return fmt.Sprintf("%s generation %s", h.View, h.Generation) }

// EngineColumn is a column as an SQL engine sees it, with the engine's own name for its type: DECIMAL(18,2).
type EngineColumn struct {
	Name string
	Type string // for a source: as SQL sees it; empty if no type holds the values of all files

	// Of a source whose files differ.
	Types      []ColumnType // the types of the column in the source's files; nil: Type, in every file
	Dates      bool         // some of its times are days
	Unreadable *Error       // why nobody can read the column, for example because files lack it
	Untyped    *Error       // why SQL cannot read it: see Type
}

// ColumnType is a type that a column has in some files.
type ColumnType struct {
	Type string
	File string // the first of them; empty: no file has the column
}

// Relation is a table that SQL may name, with its columns.
type Relation struct {
	Name    string
	Columns []EngineColumn
}
