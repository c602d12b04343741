// Package definition reads the definitions of a feature repo and checks them.
//
// Load reads the YAML and SQL files. Check finds every mistake in them at once, with positions, resolves every name,
// and works out what each view reads. A Fingerprinter tells which definitions give the same values. Compare tells in
// which fields two versions differ.
package definition

import (
	"context"

	"github.com/fstore-dev/fstore"
)

// Engine is the SQL engine that definitions are written for. It reports mistakes in SQL as *fstore.SQLError.
type Engine interface {
	// ParseSQL returns the engine's parse tree of SQL text, as JSON.
	ParseSQL(ctx context.Context, sql string) ([]byte, error)
	// SourceColumns returns the columns of a source's files. Check passes the source without renames and times and
	// checks those itself, so that it can say where in the definition a mistake is.
	SourceColumns(ctx context.Context, s *fstore.Source) ([]fstore.EngineColumn, error)
	// PlanSQL returns the columns that SQL yields over inputs, and the binder's plan before optimization, as JSON.
	PlanSQL(ctx context.Context, sql string, inputs []fstore.Relation) (columns []fstore.EngineColumn, plan []byte, err error)
	// HasNoValues reports whether all values of a column are null or NaN in every file of the source in which the
	// column has this engine type. Such a column converts to any type.
	HasNoValues(ctx context.Context, s *fstore.Source, column, engineType string) (bool, error)
}

// Definitions is a checked repo: every name is resolved and every default filled in. Objects are in name order. Their
// version numbers are 0 until a registry assigns them.
type Definitions struct {
	Entities []fstore.Entity
	Sources  []fstore.Source
	Views    []fstore.ViewVersion
	OnDemand []fstore.OnDemandVersion // each after those that it reads
	Services []ServiceVersion
	Warnings []Problem // by position
	// Unchecked lists the sources that were not checked because a variable in their path is not set. Without their
	// files, columns and types may be wrong.
	Unchecked Problems

	prints *Fingerprinter
}

// Fingerprinter returns the fingerprinter that Check used, which keeps the SQL that it has parsed.
func (d *Definitions) Fingerprinter() *Fingerprinter { return d.prints }

// ServiceVersion is an immutable version of a service: the exact features and view versions that it serves.
type ServiceVersion struct {
	Ref         fstore.ViewRef   `json:"ref"`
	Fingerprint string           `json:"fingerprint"` // hex sha256 over the outputs and their views' fingerprints
	Service     fstore.Service   `json:"service"`
	Uses        []ServiceUse     `json:"uses"`                // of outputs and of on-demand views
	OnDemand    []fstore.ViewRef `json:"on_demand,omitempty"` // versions of on-demand views, each after those that it reads
	Outputs     fstore.Outputs   `json:"outputs"`
}

// ServiceUse is a view version that a service looks up by one key role.
type ServiceUse struct {
	View fstore.ViewRef      `json:"view"`
	Keys []fstore.KeyBinding `json:"keys"` // by key name
}

// Columns returns the columns that give the keys, in the order of the keys.
func (u ServiceUse) Columns() []string {
	out := make([]string, len(u.Keys))
	for i, k := range u.Keys {
		out[i] = k.Column
	}
	return out
}

// View returns the view with a name, or nil.
func (d *Definitions) View(name string) *fstore.ViewVersion {
	for i := range d.Views {
		if d.Views[i].Ref.Name == name {
			return &d.Views[i]
		}
	}
	return nil
}

// OnDemandView returns the on-demand view with a name, or nil.
func (d *Definitions) OnDemandView(name string) *fstore.OnDemandVersion {
	for i := range d.OnDemand {
		if d.OnDemand[i].Ref.Name == name {
			return &d.OnDemand[i]
		}
	}
	return nil
}

// versions finds the definitions by name: they have no version numbers.
func (d *Definitions) versions() Versions {
	return Versions{
		View:     func(r fstore.ViewRef) *fstore.ViewVersion { return d.View(r.Name) },
		OnDemand: func(r fstore.ViewRef) *fstore.OnDemandVersion { return d.OnDemandView(r.Name) },
	}
}
