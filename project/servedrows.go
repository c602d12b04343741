package project

import (
	"context"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// servedBy says which rows of a served log a question is about: those of a version of a model, or those of a service in all its
// versions that were not asked for by a model.
type servedBy struct {
	project string
	service string
	model   fstore.ModelRef
}

// chosen reports whether a list of features is one of them. Projects may share a folder, and have services of the same name.
func (s *servedBy) chosen(i *servedlog.Info) bool {
	if i.Project != s.project {
		return false
	}
	if s.model.Name != "" {
		return i.Model == s.model
	}
	return i.Model.Name == "" && i.Service.Name == s.service
}

// servedBy checks that the registry has a service or a model, one of which is given.
func (p *Project) servedBy(rev *registry.Revision, service string, model fstore.ModelRef) (*servedBy, error) {
	out := &servedBy{project: p.Settings.Project, service: service}
	if model.Name == "" {
		_, err := rev.HeadService(service)
		if err != nil { // it may still be served
			_, err = rev.ServingService(service)
		}
		return out, err
	}
	list, err := rev.ModelFeatures(model)
	if err != nil {
		return nil, err
	}
	out.model = list.Model // the version that an alias names
	return out, nil
}

// readServed reads a served log until ctx ends.
func readServed(ctx context.Context, folder string, r servedlog.Reader) error {
	do := r.Do
	r.Do = func(rows *servedlog.Rows) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return do(rows)
	}
	return servedlog.Read(folder, r)
}
