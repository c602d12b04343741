package project

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// Facts says what there is to know about a definition beside its features: a table of names and values.
func (d *Definition) Facts() *terminal.Table {
	t := terminal.NewTable(string(d.Kind), d.Name)
	fact := func(name, value string) {
		if value != "" {
			t.Row(name, value)
		}
	}
	switch {
	case d.Entity != nil:
		fact("join keys", FieldsText(d.Entity.JoinKeys))
		metaFacts(fact, d.Entity.Meta)
	case d.Source != nil:
		sourceFacts(fact, d.Source)
	case d.View != nil:
		viewFacts(fact, d)
	case d.OnDemand != nil:
		fact("version", d.versionText())
		fact("fingerprint", d.OnDemand.Fingerprint)
		fact("callers send", SentText(d.Interface))
		fact("reads", inputsText(d.OnDemand.Inputs))
		metaFacts(fact, d.OnDemand.View.Meta)
	case d.Service != nil:
		fact("version", fmt.Sprintf("@%d, served %s", d.Version, VersionText(d.Serving)))
		fact("callers send", SentText(d.Interface))
		metaFacts(fact, d.Service.Service.Meta)
	}
	fact("used by", strings.Join(d.UsedBy, ", "))
	if t.Empty() {
		t.Row("", "-")
	}
	return t
}

func metaFacts(fact func(name, value string), m fstore.Meta) {
	fact("description", m.Description)
	fact("owner", m.Owner)
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		fact("tag "+k, m.Tags[k])
	}
}

func sourceFacts(fact func(name, value string), s *fstore.Source) {
	fact("path", s.Path)
	fact("event", orDash(s.Event))
	fact("created", s.Created)
	if !s.Static() {
		fact("available", s.Available.String())
	}
	for _, from := range slices.Sorted(maps.Keys(s.Rename)) {
		fact("rename", from+" → "+s.Rename[from])
	}
	fact("optional", strings.Join(s.Optional, ", "))
	metaFacts(fact, s.Meta)
}

func viewFacts(fact func(name, value string), d *Definition) {
	v := &d.View.View
	fact("version", d.versionText())
	fact("fingerprint", d.View.Fingerprint)
	fact("keys", orDash(FieldsText(v.Keys)))
	fact("reads", strings.Join(v.Inputs, ", "))
	if v.Static() {
		fact("event", "- (static)")
	} else {
		fact("event", v.Event)
		fact("created", v.Created)
		fact("available", v.Available.String())
	}
	fact("publish", textOr(v.Publish))
	fact("ttl", textOr(v.TTL))
	metaFacts(fact, v.Meta)
}

func (d *Definition) versionText() string {
	versions := make([]string, len(d.Versions))
	for i, n := range d.Versions {
		versions[i] = VersionText(n)
	}
	return fmt.Sprintf("@%d of %s, served %s", d.Version, strings.Join(versions, " "), VersionText(d.Serving))
}

// inputsText says which versions an on-demand view reads, by which names and key columns.
func inputsText(inputs []fstore.OnDemandInput) string {
	parts := make([]string, len(inputs))
	for i, in := range inputs {
		parts[i] = in.Ref.String()
		if in.Name != in.Ref.Name {
			parts[i] += " as " + in.Name
		}
		for _, k := range in.Keys {
			if k.Column != k.Key.Name {
				parts[i] += fmt.Sprintf(" by %s = %s", k.Key.Name, k.Column)
			}
		}
	}
	return strings.Join(parts, ", ")
}

// Features lists the features of a view or a service; nil for other definitions.
func (d *Definition) Features() *terminal.Table {
	switch {
	case d.View != nil:
		t := terminal.NewTable("FEATURE", "TYPE", "DEFAULT", "DESCRIPTION")
		for _, f := range d.View.View.Features {
			t.Row(f.Name, f.Type.String(), defaultText(f.Default), f.Summary())
		}
		return t
	case d.OnDemand != nil:
		t := terminal.NewTable("FEATURE", "TYPE", "DEFAULT", "EXPRESSION", "DESCRIPTION")
		for _, f := range d.OnDemand.View.Features {
			t.Row(f.Name, f.Type.String(), defaultText(f.Default), f.Expression, f.Description)
		}
		return t
	case d.Service != nil:
		return OutputsTable(d.Service.Uses, d.Service.OnDemand, d.Service.Outputs, d.Interface)
	}
	return nil
}

// OutputsTable lists the features of a service or model: their types, views and key columns.
func OutputsTable(uses []definition.ServiceUse, onDemand []fstore.ViewRef, outputs fstore.Outputs, d *fstore.Description) *terminal.Table {
	t := terminal.NewTable("FEATURE", "TYPE", "VIEW", "FEATURE IN VIEW", "KEYS")
	for i, o := range outputs {
		var typ string
		if d != nil {
			typ = d.Features[i].Type.String()
		}
		switch o := o.(type) {
		case fstore.FeatureOutput:
			use := uses[o.Use]
			t.Row(o.As, orDash(typ), use.View.String(), o.Feature, orDash(strings.Join(use.Columns(), ", ")))
		case fstore.OnDemandOutput:
			t.Row(o.As, orDash(typ), onDemand[o.OnDemand].String(), o.Feature, "on demand")
		}
	}
	return t
}

// Table lists the definitions of a kind, named as for Find; services for an unknown kind.
func (g Graph) Table(kind string) *terminal.Table {
	var t *terminal.Table
	switch {
	case IsKind(kind, registry.KindEntity):
		t = terminal.NewTable("ENTITY", "JOIN KEYS", "DESCRIPTION")
		for _, e := range g.Entities() {
			t.Row(e.Name, FieldsText(e.JoinKeys), e.Description)
		}
	case IsKind(kind, registry.KindSource):
		t = terminal.NewTable("SOURCE", "PATH", "EVENT", "AVAILABLE", "DESCRIPTION")
		for _, s := range g.Sources() {
			event, available := s.Event, s.Available.String()
			if s.Static() {
				event, available = "-", "always"
			}
			t.Row(s.Name, s.Path, event, available, s.Description)
		}
	case IsKind(kind, registry.KindView):
		t = terminal.NewTable("VIEW", "HEAD", "SERVED", "PUBLISHED", "AGE", "KEYS", "FEATURES", "PUBLISH", "TTL")
		for _, v := range g.Views() {
			served := VersionText(v.Serving)
			if v.View.Offline {
				served = "offline"
			}
			published, age := "-", "-"
			if f := g.publication(v.Ref.Name, v.Serving); f != nil {
				published, age = timeText(f.Published), f.ageText()
			} else if g.published == nil && v.Serving > 0 {
				published = "unknown"
			}
			t.Row(v.Ref.Name, VersionText(v.Ref.Version), served, published, age, orDash(FieldsText(v.View.Keys)), strings.Join(v.View.FeatureNames(), ", "),
				textOr(v.View.Publish), textOr(v.View.TTL))
		}
	case IsKind(kind, registry.KindOnDemand):
		t = terminal.NewTable("ON-DEMAND VIEW", "HEAD", "SERVED", "CALLERS SEND", "FEATURES")
		for _, v := range g.List(kind) {
			sent := fstore.Description{KeyColumns: v.Keys, Request: v.Request}
			t.Row(v.Name, VersionText(v.Version), VersionText(*v.Serving), SentText(&sent), strings.Join(v.Features, ", "))
		}
	default:
		t = terminal.NewTable("SERVICE", "HEAD", "SERVED", "FEATURES", "DESCRIPTION")
		for _, s := range g.Services() {
			t.Row(s.Ref.Name, VersionText(s.Ref.Version), VersionText(s.Serving), english.Count(len(s.Outputs), "feature"), s.Service.Description)
		}
	}
	return t
}

// SentText lists the columns that callers send, or a dash.
func SentText(d *fstore.Description) string {
	if d == nil {
		return "-"
	}
	parts := []string{FieldsText(d.KeyColumns), RequestText(d.Request)}
	return orDash(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", "))
}

// RequestText lists request columns with their types and defaults.
func RequestText(columns []fstore.RequestColumn) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = c.Name + " " + c.Type.String()
		if c.Default != nil {
			parts[i] += " (default " + defaultText(c.Default) + ")"
		}
		if c.Unlogged {
			parts[i] += " (not logged)"
		}
	}
	return strings.Join(parts, ", ")
}

// FieldsText lists fields with their types.
func FieldsText(fields []fstore.Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Name + " " + f.Type.String()
	}
	return strings.Join(parts, ", ")
}

func defaultText(v *fstore.Value) string {
	if v == nil {
		return "-"
	}
	return terminal.Value(v.Column.AppendJSON(nil, 0))
}

// VersionText writes a version, or a dash for 0.
func VersionText(v int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("@%d", v)
}

func orDash(s string) string { return cmp.Or(s, "-") }

// textOr writes a value, or a dash if it is absent.
func textOr[T any, P interface {
	*T
	String() string
}](p P) string {
	if p == nil {
		return "-"
	}
	return p.String()
}
