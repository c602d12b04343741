// Package definition reads the definitions of a feature repo and checks them.
//
// Load reads the YAML and SQL files. Check finds everything that is wrong with them, at once and with positions, resolves
// every name, and works out what each view reads. A Fingerprinter tells which definitions give the same values, and which
// fields differ between two versions.
package definition

import (
	"context"

	"github.com/fstore-dev/fstore"
)

// Engine is the SQL engine that definitions are written for. Its mistakes in SQL are *fstore.SQLError.
type Engine interface {
	// ParseSQL returns the engine's parse tree of SQL text, as JSON.
	ParseSQL(ctx context.Context, sql string) ([]byte, error)
	// SourceColumns returns the columns of a source's files. Check asks without rename and times, which it
	// looks into itself, to say where in the definition a mistake is.
	SourceColumns(ctx context.Context, s *fstore.Source) ([]fstore.EngineColumn, error)
	// PlanSQL returns the columns that SQL yields over inputs, and the plan that the engine's binder makes of it, before it is
	// optimized, as JSON.
	PlanSQL(ctx context.Context, sql string, inputs []fstore.Relation) (columns []fstore.EngineColumn, plan []byte, err error)
	// HoldsNothing reports whether no file of a source that has a column in an engine's type holds a value in it, NaN aside.
	// Such a column converts to any type.
	HoldsNothing(ctx context.Context, s *fstore.Source, column, engineType string) (bool, error)
}

// Definitions is a repo that was checked: every name resolved and every default filled in. Objects are in name
// order; the version numbers in them are 0 until a registry gives them some.
type Definitions struct {
	Entities []fstore.Entity
	Sources  []fstore.Source
	Views    []fstore.ViewVersion
	Services []ServiceVersion
	Warnings []Problem // by position
	// Unchecked says which sources were not checked, as a variable in their path is not set. Without their files,
	// columns and types may be wrong.
	Unchecked Problems

	prints *Fingerprinter
}

// Fingerprinter returns what made the fingerprints, with the SQL that it has parsed.
func (d *Definitions) Fingerprinter() *Fingerprinter { return d.prints }

// ServiceVersion is an immutable version of a service: exactly which features of which view versions it gives.
type ServiceVersion struct {
	Ref         fstore.ViewRef         `json:"ref"`
	Fingerprint string                 `json:"fingerprint"` // hex sha256 over the outputs and their views' fingerprints
	Service     fstore.Service         `json:"service"`
	Uses        []ServiceUse           `json:"uses"`
	Outputs     []fstore.FeatureOutput `json:"outputs"`
}

// ServiceUse is a view version that a service looks up by one key role.
type ServiceUse struct {
	View fstore.ViewRef      `json:"view"`
	Keys []fstore.KeyBinding `json:"keys"` // by key name
}

// View returns the view of a name, or nil.
func (d *Definitions) View(name string) *fstore.ViewVersion {
	for i := range d.Views {
		if d.Views[i].Ref.Name == name {
			return &d.Views[i]
		}
	}
	return nil
}
