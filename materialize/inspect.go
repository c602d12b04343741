package materialize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// Inspector checks what runs are about to publish. The guard, in guard.go, inspects every run; Options.Inspectors adds others.
type Inspector interface {
	// Inspect begins the inspection of one run, which computes a view version as of p. It returns nil if there is nothing to
	// inspect.
	Inspect(v *fstore.ViewVersion, p time.Time) (Inspection, error)

	// Rules identifies what Inspect looks for in a view version: as long as the text stays the same, equal results get
	// equal verdicts. A run that was interrupted is finished only under the rules that let it begin.
	Rules(v *fstore.ViewVersion) string
}

// Inspection is the inspection of one run.
type Inspection interface {
	// Rows is called with every batch of the computed view in order, before it is encoded. The batch has the columns of
	// Source.AsOf. It is valid until Rows returns, and must not be changed. An error ends the run.
	Rows(b *fstore.Batch) error

	// Judge is called once all rows have been shown and the differences are known, always before the first write. It is not
	// called if the run has nothing to publish. An error says that it could not judge.
	Judge(ctx context.Context, c Change) (Verdict, error)
}

// Verdict says what an inspection found. The zero verdict has no objection.
type Verdict struct {
	Refused  error    // why the result is not published; of kind ErrCheck
	Reasons  []string // the same, one by one; empty: the message of Refused
	Moved    error    // the inputs changed while the verdict was formed, so that it may be about others than those of the result
	Asks     []Ask    // why it is published only if Options.Accept has its digest
	Warnings []string // what else a person should know; goes into Summary.Warning
}

// Ask is something that a person must agree to before a result is published.
type Ask struct {
	About string // the same for the same thing, whatever the numbers are: deleted keys
	Text  string // 60 of 100 published keys would be deleted
}

// Change is what a run is about to do.
type Change struct {
	View          fstore.ViewRef
	NewGeneration bool  // every key is written, to a new generation that replaces what readers see
	Written       int64 // keys to write
	Deleted       int64 // keys to delete; 0 in a new generation
	Unchanged     int64 // keys that stay as they are

	Publishes fstore.Publication  // what the run publishes
	Previous  *fstore.Publication // what readers see now, or else the version that this one replaces; nil: not known
	Unknown   string              // why Previous is not known, or has no counts of nulls that the registry should have; else empty

	job  *job // computes what Lost asks for; nil in a Change that a test makes
	run  *run
	lost *lostKeys
}

// Served says what readers see if the run is refused.
func (c Change) Served() string {
	const unchanged = "nothing was written, and the former values keep serving"
	if c.job == nil || c.job.pointer == nil {
		return unchanged
	}
	live := c.job.pens[c.job.pointer.Generation]
	switch {
	case !c.job.s.Finished.IsZero():
		return fmt.Sprintf("an interrupted run as of %s was finished first, and its values serve", fstore.FormatTime(c.job.s.Finished))
	case live.readable() && !live.header.Complete:
		return fmt.Sprintf("nothing was written, but an interrupted run as of %s may have left some of its values beside those as of %s, and readers see both until a run is published",
			fstore.FormatTime(live.header.RunAt), fstore.FormatTime(c.job.pointer.Published))
	}
	return unchanged
}

// Publications keep the counts of publications. The registry does, so that they outlive the state folder.
type Publications interface {
	// Record keeps a publication. A run calls it before its first write.
	Record(ctx context.Context, p fstore.Publication) error
	// Published returns the publication that a pointer shows, or false if its counts were not kept.
	Published(ctx context.Context, view fstore.ViewRef, p fstore.Pointer) (fstore.Publication, bool, error)
	// Replaces returns the version that serves under the view's name and that v would replace, or false.
	Replaces(v fstore.ViewRef) (fstore.ViewRef, bool)
}

// Refusal says why a run did not publish what it computed.
type Refusal struct {
	Reasons []string `json:"reasons"`
	Accept  string   `json:"accept,omitempty"`  // the digest of the result that --accept takes; empty: it cannot be accepted
	Command string   `json:"command,omitempty"` // publishes the result all the same
}

// inspection shows one run to every inspector, and counts its keys and nulls.
type inspection struct {
	all   []Inspection
	view  *fstore.View
	nulls []int64 // by column of View.Record; nil: not counted
}

func (o *Options) inspectors() []Inspector { return append([]Inspector{guard{}}, o.Inspectors...) }

// rules identifies the rules of all inspectors.
func (o *Options) rules(v *fstore.ViewVersion) string {
	var all []string
	for _, i := range o.inspectors() {
		if rules := i.Rules(v); rules != "" {
			all = append(all, rules)
		}
	}
	return strings.Join(all, "; ")
}

func newInspection(v *fstore.View) *inspection {
	in := &inspection{view: v}
	if !v.Sawtooth() {
		in.nulls = make([]int64, len(v.Features))
	}
	return in
}

func (j *job) inspect() (*inspection, error) {
	in := newInspection(&j.v.View)
	for _, i := range j.o.inspectors() {
		one, err := i.Inspect(j.v, j.p)
		if err != nil {
			return nil, err
		}
		if one != nil {
			in.all = append(in.all, one)
		}
	}
	return in, nil
}

// rows shows a batch. A batch that lacks columns is not counted: the encoder refuses it.
func (in *inspection) rows(b *fstore.Batch) error {
	if first := len(in.view.Keys) + 1; len(b.Columns) == first+len(in.nulls) {
		for i := range in.nulls {
			in.nulls[i] += int64(b.Columns[first+i].Nulls())
		}
	}
	for _, i := range in.all {
		if err := i.Rows(b); err != nil {
			return err
		}
	}
	return nil
}

// nullsByFeature returns how many keys had a null; nil if nulls are not counted.
func (in *inspection) nullsByFeature() map[string]int64 {
	if in.nulls == nil {
		return nil
	}
	out := map[string]int64{}
	for i, f := range in.view.ByName() {
		out[f.Name] = in.nulls[i]
	}
	return out
}

// judge asks every inspector about a run whose files are written, and keeps the run's counts if none objects. The error is
// ErrCheck if the run must not begin.
func (j *job) judge(ctx context.Context, in *inspection, r *run, unchanged int64) error {
	previous, unknown, err := j.previous(ctx)
	if err != nil {
		return err
	}
	c := Change{
		View: r.View, NewGeneration: r.Base == "", Written: r.Writes, Deleted: r.Deletes, Unchanged: unchanged,
		Publishes: fstore.Publication{View: r.View, Run: r.Run, Number: r.Number, Published: r.At, Keys: r.Keys, Nulls: in.nullsByFeature()},
		Previous:  previous, Unknown: unknown, job: j, run: r, lost: &lostKeys{},
	}
	if j.o.Publications != nil {
		j.s.ComparedWith = c.comparedWith()
	}
	var all Verdict
	var reasons []string
	for _, i := range in.all {
		v, err := i.Judge(ctx, c)
		if err != nil {
			return err
		}
		if v.Moved != nil {
			return &movedError{v.Moved}
		}
		if v.Refused != nil {
			all.Refused = errors.Join(all.Refused, v.Refused)
			if len(v.Reasons) == 0 {
				v.Reasons = []string{fstore.MessageOf(v.Refused)}
			}
			reasons = append(reasons, v.Reasons...)
		}
		all.Asks = append(all.Asks, v.Asks...)
		for _, w := range v.Warnings {
			j.warn(w)
		}
	}
	if all.Refused != nil {
		j.s.Refused = &Refusal{Reasons: append(reasons, texts(all.Asks)...)}
		return all.Refused
	}
	if err := j.accept(r, c, all.Asks); err != nil || j.o.Publications == nil {
		return err
	}
	return j.o.Publications.Record(ctx, c.Publishes)
}

// previous returns the counts of what the run would replace, or why they are not known. Where the registry has none, the state
// folder may still know the keys.
func (j *job) previous(ctx context.Context) (*fstore.Publication, string, error) {
	if j.o.Publications == nil {
		return nil, "no counts are kept", nil
	}
	ref, pointer := j.v.Ref, j.pointer
	if pointer == nil {
		replaced, ok := j.o.Publications.Replaces(ref)
		if !ok {
			return nil, "nothing is published", nil
		}
		var err error
		if pointer, err = read(ctx, j.patience(), func() (fstore.Pointer, bool, error) { return j.o.Sink.Pointer(ctx, replaced) }); err != nil {
			return nil, "", err
		}
		if pointer == nil {
			return nil, fmt.Sprintf("nothing is published, nor is %s, which serves", replaced), nil
		}
		ref = replaced
	}
	if pointer.Damaged != "" {
		return nil, j.uncompared("the pointer cannot be read"), nil
	}
	p, ok, err := j.o.Publications.Published(ctx, ref, *pointer)
	if err != nil {
		return nil, "", err
	}
	if ok {
		return &p, "", nil
	}
	why := fmt.Sprintf("the registry has no counts of %s as of %s", ref, fstore.FormatTime(pointer.Published))
	if r := j.state.runs[pointer.Run]; r != nil && ref == j.v.Ref {
		j.warn(onlyKeys + why)
		return &fstore.Publication{View: ref, Run: r.Run, Number: pointer.Number, Published: pointer.Published, Keys: r.Keys}, why, nil
	}
	return nil, j.uncompared(why), nil
}

// uncompared warns that a run replaces something of which nothing is known, and returns why.
func (j *job) uncompared(why string) string {
	j.warn(nothingToCompare + why)
	return why
}

const (
	nothingToCompare = "nothing to compare with: "
	onlyKeys         = "only keys are compared, with those in the state folder: "
)

// comparedWith says what a run was compared with.
func (c *Change) comparedWith() string {
	if c.Previous == nil {
		return nothingToCompare + c.Unknown
	}
	with := fmt.Sprintf("%s as of %s", c.Previous.View, fstore.FormatTime(c.Previous.Published))
	if c.Unknown != "" {
		with += "; " + onlyKeys + c.Unknown
	}
	return with
}
