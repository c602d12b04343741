package project

import (
	"context"
	"fmt"
	"slices"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/monitor/skew"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/answers"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// SkewRequest says which served values to compare with the offline result: those of a service, in all its versions, or of a
// version of a model.
type SkewRequest struct {
	Service  string
	Model    fstore.ModelRef
	Log      string // folder; "": that of the settings
	Since    time.Time
	Sample   int64 // about how many rows to compare; 0: all
	Shown    int   // differences shown; 0: 20
	Progress func(rows int64)
}

// Skew compares what servers have logged with what the engine computes now for the same publications. A difference is a finding,
// not an error.
func (p *Project) Skew(ctx context.Context, r SkewRequest) (*skew.Result, error) {
	if err := oneOf("a service or a model", r.Service != "", r.Model.Name != ""); err != nil {
		return nil, err
	}
	folder, err := p.servedFolder(r.Log)
	if err != nil {
		return nil, err
	}
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	of, err := p.servedBy(rev, r.Service, r.Model)
	if err != nil {
		return nil, err
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	log := &servedRows{rev: rev, folder: folder, since: r.Since, of: of, lists: map[string]*fstore.FeatureList{}}
	o := skew.Options{
		Log: log, Replayer: &replayer{p: p, rev: rev, engine: engine, lists: log.lists}, Since: r.Since, Sample: r.Sample, Shown: r.Shown, Progress: r.Progress,
		NotFound: byte(answers.NotFound), Expired: byte(answers.OutsideMaxAge),
	}
	for s := range answers.Statuses {
		o.Statuses = append(o.Statuses, answers.Status(s).String())
	}
	return skew.Run(ctx, o)
}

// servedRows are the rows of a served log that a request is about.
type servedRows struct {
	rev    *registry.Revision
	folder string
	since  time.Time
	of     *servedBy
	lists  map[string]*fstore.FeatureList // by Rows.List
}

// Each implements skew.Log.
func (l *servedRows) Each(ctx context.Context, do func(*skew.Rows) error, unreadable func(file string, err error)) error {
	return readServed(ctx, l.folder, servedlog.Reader{
		Since: l.since, Chosen: l.of.chosen, Do: func(r *servedlog.Rows) error { return do(l.rows(r)) }, Unreadable: unreadable,
	})
}

// Instants implements skew.Log.
func (l *servedRows) Instants(ctx context.Context, do func(at []int64) error) error {
	return readServed(ctx, l.folder, servedlog.Reader{
		Since: l.since, Chosen: l.of.chosen, Needs: func(*servedlog.Info) *servedlog.Needs { return &servedlog.Needs{} },
		Do: func(r *servedlog.Rows) error { return do(r.At) }, Unreadable: func(string, error) {},
	})
}

func (l *servedRows) rows(r *servedlog.Rows) *skew.Rows {
	out := &skew.Rows{
		List: listKey(r.Info), Views: r.Info.Views, Len: r.Len, At: r.At, Request: r.Request, Row: r.Row,
		Sent: slices.Concat(r.Keys, r.Inputs), Values: r.Features, Statuses: r.Statuses,
	}
	var all []fstore.ViewRef
	var missing map[fstore.ViewRef]string
	if out.Problem = l.problem(r.Info, out.List); out.Problem == "" {
		all, missing = lookups(l.lists[out.List]), unlogged(l.lists[out.List], r.Info.Missing)
	}
	for _, f := range r.Info.Features {
		reads := []fstore.ViewRef{f.View}
		if slices.Contains(r.Info.OnDemand, f.View) {
			reads = all // any of them, as far as the log tells
		}
		out.Features = append(out.Features, skew.Feature{Name: f.Name, View: f.View, Reads: reads, Problem: missing[f.View]})
	}
	for _, v := range r.Views {
		out.Published, out.RunAt = append(out.Published, v.Published), append(out.RunAt, v.RunAt)
		out.Run, out.InFlight = append(out.Run, v.Run), append(out.InFlight, v.InFlight)
	}
	return out
}

// listKey identifies a list of features. A registry that was recreated may have another list of the same name and version.
func listKey(i *servedlog.Info) string {
	key := []byte(i.Service.String() + " " + i.Model.String())
	for _, f := range i.Features {
		key = fmt.Appendf(key, " %q %s %s %q", f.Name, f.Type, f.View, f.Feature)
	}
	return string(key)
}

// lookups returns the view of each look-up that a list does.
func lookups(list *fstore.FeatureList) (views []fstore.ViewRef) {
	for _, u := range list.Uses {
		views = append(views, u.Version.Ref)
	}
	return views
}

// unlogged says, for each on-demand view that reads request columns that the log does not have, which they are. An on-demand view reads
// those of the on-demand views that it uses.
func unlogged(list *fstore.FeatureList, missing []string) map[fstore.ViewRef]string {
	out := map[fstore.ViewRef]string{}
	for range list.OnDemand { // until the last one knows, in whichever order they are
		for _, v := range list.OnDemand {
			for _, c := range v.View.Request {
				if sent := list.Sent(c.Name); slices.Contains(missing, sent) && out[v.Ref] == "" {
					out[v.Ref] = "the log does not have request column " + sent + ": it has log: false, or serve.log.inputs is false"
				}
			}
			for _, in := range v.Inputs {
				if why := out[in.Ref]; in.OnDemand && why != "" && out[v.Ref] == "" {
					out[v.Ref] = why
				}
			}
		}
	}
	return out
}

// problem returns why rows cannot be replayed, or "" if they can be.
func (l *servedRows) problem(i *servedlog.Info, key string) string {
	zones, characters := online.DataVersions()
	switch {
	case i.Keys != servedlog.PlainKeys && len(i.Columns) > 0:
		return "the log has no plain keys: serve.log.keys is " + string(i.Keys)
	case len(i.OnDemand) > 0 && i.Builds != (answers.Builds{Zones: zones, Unicode: characters}):
		return "another build answered, with other data of time zones or characters"
	}
	list, err := servedList(l.rev, i)
	if err != nil {
		return err.Error()
	}
	if l.lists[key] != nil {
		return ""
	}
	free := *list
	free.MaxStaleness = nil // it was not too stale when it was served
	l.lists[key] = &free
	return ""
}

// replayer answers rows from records that the engine computes, by the code that answers look-ups.
type replayer struct {
	p      *Project
	rev    *registry.Revision
	engine *offline.Engine
	lists  map[string]*fstore.FeatureList
}

// Standing implements skew.Replayer.
func (r *replayer) Standing(ctx context.Context, view fstore.ViewRef, run string) (skew.Standing, []string) {
	v := r.rev.View(view)
	runs, err := materialize.ComputedRuns(r.p.stateDir(), view)
	computed, known := runs[run]
	if v == nil || err != nil || !known {
		return skew.Unknown, nil
	}
	changed, ok := offline.Changes(computed.Inputs, r.engine.Stamp(ctx, v))
	switch {
	case !ok:
		return skew.Unknown, nil
	case len(changed) > 0:
		return skew.ChangedInputs, changed
	case computed.Build == buildIdentity(r.p.options.Version):
		return skew.SameInputs, nil
	}
	return skew.OtherBuild, nil
}

// Replay implements skew.Replayer.
func (r *replayer) Replay(ctx context.Context, rows *skew.Rows, at []time.Time) (*skew.Replayed, error) {
	list := r.lists[rows.List]
	store := newReplayStore(r.p.Settings.Project)
	for i, view := range rows.Views {
		if at[i].IsZero() {
			continue
		}
		v := r.rev.View(view)
		if v == nil {
			return nil, fmt.Errorf("the registry does not know %s", view)
		}
		if err := store.load(ctx, r.engine, v, at[i], wantedKeys(list, view, rows.Sent)); err != nil {
			return nil, fmt.Errorf("compute %s as of %s: %w", view, fstore.FormatTime(at[i]), err)
		}
	}
	prepared, err := store.Prepare(list)
	if err != nil {
		return nil, err
	}
	out := &skew.Replayed{Values: make([]fstore.Column, len(rows.Features)), Statuses: make([][]byte, rows.Len), Failed: map[int]error{}}
	for i := range out.Values {
		out.Values[i] = fstore.NewColumn(rows.Features[i].Name, rows.Values[i].Type, rows.Len)
	}
	unsent := slices.DeleteFunc(list.Columns(), func(f fstore.Field) bool { // what reads these is not compared
		return slices.ContainsFunc(rows.Sent, func(c fstore.Column) bool { return c.Name == f.Name })
	})
	for row := range rows.Len {
		sent := make([]fstore.Column, len(rows.Sent))
		for i := range sent {
			sent[i] = fstore.NewColumn(rows.Sent[i].Name, rows.Sent[i].Type, 1)
			sent[i].AppendFrom(&rows.Sent[i], row)
		}
		for _, f := range unsent {
			c := fstore.NewColumn(f.Name, f.Type, 1)
			c.AppendNull()
			sent = append(sent, c)
		}
		answer, err := prepared.Lookup(ctx, online.Request{Keys: sent, Rows: 1, Now: fstore.FromMicros(rows.At[row])})
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			out.Failed[row] = err
			for i := range out.Values {
				out.Values[i].AppendNull()
			}
			continue
		}
		for i := range out.Values {
			out.Values[i].AppendFrom(&answer.Features[i].Column, 0)
			out.Statuses[row] = append(out.Statuses[row], byte(answer.Features[i].Status(0)))
		}
		answer.Release()
	}
	return out, nil
}

// wantedKeys returns the keys of a view version that look-ups of rows need.
func wantedKeys(list *fstore.FeatureList, view fstore.ViewRef, sent []fstore.Column) map[string]bool {
	wanted := map[string]bool{}
	for _, u := range list.Uses {
		if u.Version.Ref != view {
			continue
		}
		if len(u.Keys) == 0 {
			wanted[""] = true
			continue
		}
		var columns []*fstore.Column
		for _, k := range u.Keys {
			at := slices.IndexFunc(sent, func(c fstore.Column) bool { return c.Name == k.Column })
			if at < 0 {
				return wanted
			}
			columns = append(columns, &sent[at])
		}
		for row := range columns[0].Len {
			if !slices.ContainsFunc(columns, func(c *fstore.Column) bool { return c.IsNull(row) }) {
				wanted[string(fstore.AppendKey(nil, columns, row))] = true
			}
		}
	}
	return wanted
}
