package project

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"regexp"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/openlineage"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
)

// reported does something and reports it to OpenLineage as a run of a job of the project, if the environment names a server.
// What goes wrong with that is a warning. do says what the run reads and writes; the run is nil if nothing is reported.
func (p *Project) reported(ctx context.Context, job string, do func(*openlineage.Run) error) error {
	config, err := openlineage.FromEnvironment(p.options.Lookup)
	if err != nil {
		p.warn("nothing is reported to OpenLineage: %v", err)
	}
	p.options.Secret(config.APIKey)
	if config.URL != nil {
		password, _ := config.URL.User.Password()
		p.options.Secret(password)
	}
	client := openlineage.New(config, p.options.Version, p.options.Clock)
	run := client.Begin(p.Settings.Project+"."+job, nil)
	err = do(run)
	run.End(outcome(err))
	if lost := client.Close(ctx); lost != nil {
		p.warn("%v", lost)
	}
	return err
}

// outcome says how a run ended. An error's text may have values of rows, so only its kind is told.
func outcome(err error) (openlineage.State, string) {
	switch {
	case err == nil:
		return openlineage.Complete, ""
	case errors.Is(err, context.Canceled):
		return openlineage.Abort, ""
	}
	for _, kind := range []error{
		fstore.ErrUsage, fstore.ErrCheck, fstore.ErrDefinition, fstore.ErrConflict, fstore.ErrUnavailable, fstore.ErrNotReady, fstore.ErrNotFound,
		fstore.ErrTooLarge, fstore.ErrCorrupt, fstore.ErrInvalid,
	} {
		if errors.Is(err, kind) {
			return openlineage.Fail, kind.Error() + ": see the output of fstore"
		}
	}
	return openlineage.Fail, "failed: see the output of fstore"
}

// lineage returns the data set of a view version: its rows, wherever they are.
func (p *Project) lineage(v *fstore.ViewVersion) openlineage.Dataset {
	d := openlineage.Dataset{Name: p.Settings.Project + "." + v.Ref.String(), Version: v.Fingerprint, Columns: []openlineage.Column{}}
	for _, k := range v.View.Keys {
		d.Columns = append(d.Columns, openlineage.Column{Name: k.Name, Type: k.Type.String()})
	}
	if !v.View.Static() {
		d.Columns = append(d.Columns, openlineage.Column{Name: v.View.Event, Type: fstore.Timestamp.String()})
	}
	d.Columns = append(d.Columns, lineageColumns(v.View.Features)...)
	return d
}

func lineageColumns(features []fstore.Feature) []openlineage.Column {
	out := make([]openlineage.Column, len(features))
	for i := range features {
		f := &features[i]
		out[i] = openlineage.Column{Name: f.Name, Type: f.Type.String(), Description: f.Description}
	}
	return out
}

// readBy tells a run that it reads sources.
func (p *Project) readBy(run *openlineage.Run, sources []fstore.Source) {
	for i := range sources {
		run.Reads(openlineage.File(p.dataPath(sources[i].Path)))
	}
}

// wholeFolder matches what ends a pattern that takes all files of a kind in a folder or below it.
var wholeFolder = regexp.MustCompile(`^(\*\*?|\*(\.[A-Za-z0-9]+)+|[A-Za-z_]\w*=\*)$`)

// dataPath returns where a source's files are. Other tools name a folder of files by its path, without a pattern.
func (p *Project) dataPath(path string) string {
	if expanded, err := fstore.Expand(path, p.options.Lookup); err == nil {
		path = expanded
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Settings.Dir, path)
	}
	for path = filepath.Clean(path); wholeFolder.MatchString(filepath.Base(path)); {
		path = filepath.Dir(path)
	}
	return path
}

// reportPlan tells a run what a plan registers: the view versions that change, and the sources that they read.
func (p *Project) reportPlan(run *openlineage.Run, plan *registry.Plan) {
	_, all := plan.Views()
	for _, c := range plan.Changes {
		for _, v := range all {
			if c.Kind == registry.KindView && v.Ref == (fstore.ViewRef{Name: c.Name, Version: c.To}) {
				p.readBy(run, v.Sources)
				run.Writes(p.lineage(v))
			}
		}
	}
	run.Start()
}

// reportInputs tells a run what a training set is made from.
func (p *Project) reportInputs(run *openlineage.Run, req *offline.TrainingRequest) {
	if req.Labels.Path != "" {
		run.Reads(openlineage.File(req.Labels.Path))
	}
	p.readBy(run, req.Labels.Sources)
	for _, u := range req.List.Uses {
		p.readBy(run, u.Version.Sources)
		run.Reads(p.lineage(u.Version))
	}
	for _, v := range req.List.OnDemand {
		run.Reads(openlineage.Dataset{Name: p.Settings.Project + "." + v.Ref.String(), Version: v.Fingerprint, Columns: lineageColumns(v.View.Features)})
	}
	run.Writes(openlineage.File(req.Out))
	run.Start()
}

// reportOutput tells a run which training set it has made.
func reportOutput(run *openlineage.Run, out string, l *lock.Lock) {
	d := openlineage.File(out)
	d.Version, d.Written, d.Columns = l.Output.Content, &openlineage.Written{Rows: l.Output.Rows, Bytes: l.Output.Size}, []openlineage.Column{}
	for _, c := range l.Output.Columns {
		d.Columns = append(d.Columns, openlineage.Column{Name: c.Name, Type: c.Type})
	}
	run.Writes(d)
}

// reportView begins the report of a view's run beneath that of the command. The function that it returns ends the report.
func (p *Project) reportView(command *openlineage.Run, v *fstore.ViewVersion) func(*materialize.Summary, error) {
	run, out := command.Child(p.Settings.Project+".materialize."+v.Ref.String()), p.lineage(v)
	out.Store = p.onlineStore()
	p.readBy(run, v.Sources)
	run.Writes(out)
	run.Start()
	return func(s *materialize.Summary, err error) {
		out.Written = &openlineage.Written{Rows: s.Written, Bytes: s.Bytes}
		run.Writes(out)
		run.End(outcome(err))
	}
}

// onlineStore names the online store, without its password.
func (p *Project) onlineStore() *openlineage.Store {
	u := p.Settings.Online
	if u.isFile() {
		return &openlineage.Store{Name: u.scheme(), URI: (&url.URL{Scheme: u.scheme(), Path: u.path()}).String()}
	}
	return &openlineage.Store{Name: u.scheme(), URI: u.String()}
}
